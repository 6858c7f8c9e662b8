import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Program, runToEnd } from '../support/program';

const INIT = resolve(__dirname, '../../softhsm/init-token.mjs');

/** Prints the user PIN flags of the one token that an environment leads to, after a login with its PIN file. */
const LOGIN = `
  const { Module, SessionFlag, UserType } = require('graphene-pk11');
  const softHsm = Module.load(process.env.P11KMS_PKCS11_MODULE);
  softHsm.initialize();
  const slots = softHsm.getSlots(true);
  const slot = Array.from({ length: slots.length }, (_none, index) => slots.items(index))
    .find((slot) => slot.getToken().label === process.env.P11KMS_TOKEN_LABEL);
  const session = slot.open(SessionFlag.SERIAL_SESSION);
  session.login(require('node:fs').readFileSync(process.env.P11KMS_PIN_FILE, 'utf8'), UserType.USER);
  console.log(slot.getToken().serialNumber);
  softHsm.finalize();
`;

describe('the SoftHSM2 token of a data directory', () => {
  let parent: string;
  let dataDir: string;

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "p11kms it's "));
    dataDir = join(parent, 'data');
  });

  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const environment = (more: NodeJS.ProcessEnv = {}) => ({
    PATH: process.env.PATH,
    P11KMS_DATA_DIR: dataDir,
    ...more,
  });
  const initialize = (more?: NodeJS.ProcessEnv) =>
    runToEnd(process.execPath, [INIT], { env: environment(more), cwd: parent });

  /** Sources the file as the entry point and people do, and logs in; the token's serial number. */
  async function logIn(): Promise<string> {
    const run = await runToEnd(
      'sh',
      ['-euc', '. "$0"; exec "$1" -e "$2"', join(dataDir, 'softhsm/env'), process.execPath, LOGIN],
      {
        env: { PATH: process.env.PATH },
        cwd: __dirname,
      },
    );
    expect(run).toEqual({ exitCode: 0, output: expect.stringMatching(/^[0-9a-f]{16}\n$/) });
    return run.output;
  }

  it('is made once, for its owner only, and found again', async () => {
    const file = join(dataDir, 'softhsm/env');
    expect(await initialize()).toEqual({ exitCode: 0, output: `${file}\n` });
    const serial = await logIn();
    expect(readdirSync(dataDir)).toEqual(['softhsm']);
    for (const name of ['.', 'softhsm', 'softhsm/tokens', 'softhsm/pin', 'softhsm/so-pin', 'softhsm/env']) {
      expect([name, statSync(join(dataDir, name)).mode & 0o077]).toEqual([name, 0]);
    }
    const pin = readFileSync(join(dataDir, 'softhsm/pin'), 'utf8');
    expect(pin).toMatch(/^[0-9a-f]{36}$/);
    expect(readFileSync(join(dataDir, 'softhsm/so-pin'), 'utf8')).not.toBe(pin);
    expect(readFileSync(file, 'utf8')).not.toContain(pin);

    expect(await initialize()).toEqual({ exitCode: 0, output: `${file}\n` });
    expect(await logIn()).toBe(serial);
  });

  it('is one token where two starts make it at once', async () => {
    const runs = await Promise.all([initialize(), initialize(), initialize()]);
    expect(runs.map((run) => run.exitCode)).toEqual([0, 0, 0]);
    expect(readdirSync(join(dataDir, 'softhsm/tokens'))).toHaveLength(1);
    expect(readdirSync(dataDir)).toEqual(['softhsm']);
    await logIn();
  });

  it('is whole after a start that was killed half-way, at whatever moment', async () => {
    let killedHalfWay = 0;
    for (let trial = 0; trial < 12; trial += 1) {
      const program = new Program(process.execPath, [INIT, '--locked'], { env: environment(), cwd: parent });
      const unfinished = () =>
        existsSync(dataDir) && readdirSync(dataDir).some((name) => name.includes('unfinished'));
      while (!unfinished() && !existsSync(join(dataDir, 'softhsm'))) await new Promise(setImmediate);
      await new Promise((resume) => setTimeout(resume, trial * 6));
      program.kill('SIGKILL');
      await program.exitCode;
      if (unfinished()) killedHalfWay += 1;
      expect((await initialize()).exitCode).toBe(0);
      expect(readdirSync(dataDir)).toEqual(['softhsm']);
      await logIn();
      rmSync(dataDir, { recursive: true });
    }
    expect(killedHalfWay).toBeGreaterThan(0);
  });

  it('keeps its PINs off every command line', async () => {
    const program = new Program(process.execPath, [INIT], { env: environment(), cwd: parent });
    let ended = false;
    void program.exitCode.then(() => {
      ended = true;
    });
    const seen = new Set<string>();
    while (!ended) {
      for (const line of commandLines()) seen.add(line);
      await new Promise(setImmediate);
    }
    const pins = ['pin', 'so-pin'].map((name) => readFileSync(join(dataDir, 'softhsm', name), 'utf8'));
    expect([...seen].some((line) => line.includes('init-token.mjs'))).toBe(true);
    expect([...seen].filter((line) => pins.some((pin) => line.includes(pin)))).toEqual([]);
  });

  it('is found where its data directory was moved to', async () => {
    await initialize();
    const serial = await logIn();
    const moved = join(parent, 'moved');
    renameSync(dataDir, moved);
    dataDir = moved;
    expect(await initialize()).toEqual({ exitCode: 0, output: `${moved}/softhsm/env\n` });
    expect(await logIn()).toBe(serial);
  });

  it.each([
    ['softhsm/tokens', 'has lost its token'],
    ['softhsm/pin', 'has lost its PIN'],
  ])('is never replaced: without %s', async (part, message) => {
    await initialize();
    cpSync(dataDir, join(parent, 'backup'), { recursive: true });
    rmSync(join(dataDir, part), { recursive: true });
    expect(await initialize()).toEqual({ exitCode: 1, output: expect.stringContaining(message) });
    expect(existsSync(join(dataDir, part))).toBe(false);
  });

  it('is not made for a store that has lost its own', async () => {
    await initialize();
    writeFileSync(join(dataDir, 'p11kms.sqlite'), '');
    rmSync(join(dataDir, 'softhsm'), { recursive: true });
    expect(await initialize()).toEqual({
      exitCode: 1,
      output: expect.stringMatching(/^p11kms: .*its token is gone.*\n$/),
    });
    expect(existsSync(join(dataDir, 'softhsm'))).toBe(false);
  });

  it('is not made where a module is configured, in the environment or in the file', async () => {
    const nothing = { exitCode: 0, output: '' };
    expect(await initialize({ P11KMS_PKCS11_MODULE: '/opt/hsm.so' })).toEqual(nothing);
    const config = join(parent, 'p11kms.json');
    writeFileSync(config, JSON.stringify({ pkcs11Module: '/opt/hsm.so' }));
    expect(await initialize({ P11KMS_CONFIG: config })).toEqual(nothing);
    writeFileSync(config, '{');
    expect(await initialize({ P11KMS_CONFIG: config })).toEqual(nothing);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('is not made where a PIN was given for another token', async () => {
    const run = await initialize({ P11KMS_PIN: '1234' });
    expect(run).toEqual({
      exitCode: 1,
      output: expect.stringContaining('P11KMS_PIN without P11KMS_PKCS11_MODULE'),
    });
    expect(existsSync(dataDir)).toBe(false);
  });
});

/** The command lines of all processes, as any user of the machine can read them. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // It ended in the meantime.
        return '';
      }
    });
}
