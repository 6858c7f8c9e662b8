import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runToEnd } from '../support/program';

const MODULE = resolve(__dirname, '../../scripts/set-up/debian.mjs');

/** Runs the module's functions with a PATH that has an apt-get which only writes down how it was called. */
describe("Debian's packages", () => {
  let bin: string;
  let calls: string;

  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'p11kms-bin-'));
    calls = join(bin, 'calls');
    symlinkSync('/usr/bin/env', join(bin, 'env'));
    command('apt-get', `#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> ${calls}\n`);
  });

  afterEach(() => rmSync(bin, { recursive: true, force: true }));

  function command(name: string, script = '#!/bin/sh\n') {
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  }

  async function run(expression: string, uid = 0) {
    const script = `
      process.getuid = () => ${uid};
      import(${JSON.stringify(MODULE)}).then(({ missingPackages, installPackages }) => ${expression})
        .catch((error) => console.log(error.constructor.name + ': ' + error.message));`;
    return (await runToEnd(process.execPath, ['-e', script], { env: { PATH: bin } })).output;
  }

  it('are missing where the commands are not on the PATH, and only those', async () => {
    command('make');
    command('python3');
    expect(await run('console.log(missingPackages(["compiler"]).join())')).toBe('g++\n');
    command('g++');
    expect(await run('console.log(missingPackages(["compiler"]).join())')).toBe('\n');
  });

  it('are installed, with fresh lists and no questions', async () => {
    expect(await run('installPackages(["make", "g++"])')).toBe(
      'p11kms: installing the Debian packages make g++\n',
    );
    const [update, install] = readFileSync(calls, 'utf8').split('\n');
    expect(update).toMatch(/^noninteractive .* update$/);
    expect(install).toMatch(/^noninteractive .* install -y --no-install-recommends make g\+\+$/);
  });

  it("are installed without a server of PostgreSQL's running afterwards", async () => {
    command('sh', `#!/bin/sh\necho "sh: $2" >> ${calls}\n`);
    await run('installPackages(["postgresql"])');
    const file = '/etc/postgresql-common/createcluster.d/p11kms-set-up.conf';
    expect(readFileSync(calls, 'utf8').split('\n').slice(1)).toEqual([
      `sh: mkdir -p /etc/postgresql-common/createcluster.d && echo 'create_main_cluster = false' > ${file}`,
      expect.stringContaining('install -y --no-install-recommends postgresql'),
      `sh: rm ${file}`,
      '',
    ]);
  });

  it('are installed by sudo where that wants no password', async () => {
    command('sudo', '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n');
    symlinkSync('/usr/bin/true', join(bin, 'true'));
    await run('installPackages(["make"])', 1000);
    expect(readFileSync(calls, 'utf8')).toContain('install -y --no-install-recommends make\n');
  });

  it.each([
    ['there is no sudo', undefined],
    ['sudo asks for a password', '#!/bin/sh\nexit 1\n'],
  ])('are named, and what installs them, where %s', async (_why, sudo) => {
    if (sudo) command('sudo', sudo);
    expect(await run('installPackages(["make", "g++"])', 1000)).toMatch(
      /^SetUpError: may not install .*: sudo apt-get install make g\+\+\n$/,
    );
    expect(existsSync(calls)).toBe(false);
  });

  it('are named where there is no apt-get', async () => {
    rmSync(join(bin, 'apt-get'));
    expect(await run('installPackages(["softhsm2"])')).toMatch(/^SetUpError: install .* softhsm2 by hand/);
  });

  it("show apt-get's own words where it fails", async () => {
    command('apt-get', '#!/bin/sh\necho "E: no such package" >&2\nexit 100\n');
    expect(await run('installPackages(["make"])')).toMatch(
      /E: no such package\n.*SetUpError: apt-get update failed/s,
    );
  });
});
