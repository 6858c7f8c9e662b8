import { createPublicKey } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readCredentials } from '../support/credentials';
import { sendRaw } from '../support/kms-client';
import { freePort, Program, runToEnd } from '../support/program';

const root = resolve(__dirname, '../..');
const CHECKOUT = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts', 'softhsm', 'src'];
const LAST_LINE = 'npx p11kms doctor\n';

/** A checkout of its own, whose dist/ does not exist yet, with the packages of this one. */
describe('npm start', () => {
  let parent: string;
  let checkout: string;
  const programs: Program[] = [];

  beforeAll(() => {
    parent = realpathSync(mkdtempSync(join(tmpdir(), 'p11kms-start-')));
    checkout = join(parent, 'checkout');
    for (const name of CHECKOUT) cpSync(join(root, name), join(checkout, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  });

  afterEach(async () => {
    for (const program of programs.splice(0)) {
      program.kill('SIGTERM');
      await program.exitCode;
    }
  });

  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const environment = (more: NodeJS.ProcessEnv) => ({ PATH: process.env.PATH, HOME: parent, ...more });

  async function start(name: string, more: NodeJS.ProcessEnv = {}) {
    const port = await freePort();
    const env = environment({ P11KMS_DATA_DIR: join(parent, name), P11KMS_PORT: String(port), ...more });
    const program = new Program('npm', ['start'], { cwd: checkout, env });
    programs.push(program);
    return { program, url: `http://127.0.0.1:${port}/` };
  }

  it('builds once where two start at the same time', async () => {
    const starts = await Promise.all([start('one'), start('two')]);
    await Promise.all(starts.map(({ program }) => program.printed(LAST_LINE)));
    const built = starts.filter(({ program }) => program.output.includes('p11kms: building\n'));
    expect(built).toHaveLength(1);
    for (const { program, url } of starts) {
      expect(program.output).toContain('p11kms: making a SoftHSM2 token');
      expect((await fetch(`${url}readyz`)).status).toBe(200);
    }
  }, 120_000);

  it('shows a request, its true answer, and commands that work when they are pasted', async () => {
    const { program, url } = await start('one');
    await program.printed(LAST_LINE);
    const answer = JSON.parse(/HTTP\/1\.1 200 OK\n[^{]*(\{.*?\n {2}\})\n/s.exec(program.output)?.[1] ?? '');
    expect(answer).toMatchObject({ KeyPairSpec: 'ECC_NIST_P256', KeyId: expect.stringContaining(':key/') });
    const spki = Buffer.from(answer.PublicKey, 'base64');
    expect(createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyDetails).toEqual({
      namedCurve: 'prime256v1',
    });

    const [curl, doctor] = program.output.split('\n').filter((line) => /^ {2}(curl|\. )/.test(line));
    expect(curl).toContain(url);
    // What signs the request is where nobody else can read it.
    const { secretAccessKey } = readCredentials(join(parent, 'one/credentials'));
    expect(program.output).not.toContain(secretAccessKey);
    expect(statSync(join(parent, 'one/credentials.curl')).mode & 0o777).toBe(0o600);
    expect(statSync(join(parent, 'one/credentials')).mode & 0o777).toBe(0o600);
    const repeated = await paste(curl);
    expect(JSON.parse(repeated.output)).toMatchObject({ KeyPairSpec: 'ECC_NIST_P256', KeyId: answer.KeyId });
    expect(JSON.parse(repeated.output).PublicKey).not.toBe(answer.PublicKey);
    const diagnosed = await paste(doctor);
    expect(diagnosed).toEqual({ exitCode: 0, output: expect.stringContaining('p11kms') });
  });

  const paste = (line = 'false') => runToEnd('sh', ['-c', line], { cwd: checkout, env: environment({}) });

  it('uses everything again at the second start', async () => {
    const { program, url } = await start('one');
    await program.printed('p11kms is ready');
    await program.printed(LAST_LINE);
    // No step of the set-up, and no second key behind the alias.
    expect(program.output).not.toContain('p11kms: ');
    expect(program.output).not.toContain('CreateKey');
    program.kill('SIGTERM');
    expect(await program.exitCode).toBe(0);
    // npm has passed the signal on, and has waited.
    await expect(fetch(`${url}healthz`)).rejects.toThrow();
  });

  it("passes the service's one line and its exit code on, without a word of its own", async () => {
    const { program } = await start('one', { P11KMS_PORTT: '1' });
    expect(await program.exitCode).toBe(1);
    expect(program.output.split('\n').filter((line) => line !== '' && !/^(>|npm warn) /.test(line))).toEqual([
      expect.stringMatching(/^p11kms: .*P11KMS_PORTT/),
    ]);
  });

  it('refuses a store that has lost its token', async () => {
    rmSync(join(parent, 'two/softhsm'), { recursive: true });
    const { program } = await start('two');
    expect(await program.exitCode).toBe(1);
    expect(program.output).toMatch(/^p11kms: [^\n]*its token is gone/m);
    expect(existsSync(join(parent, 'two/softhsm'))).toBe(false);
  });

  it('makes nothing, and no example, for a token that it did not make', async () => {
    const theirs = join(parent, 'theirs');
    await runToEnd(process.execPath, [join(checkout, 'softhsm/init-token.mjs')], {
      env: environment({ P11KMS_DATA_DIR: theirs }),
    });
    const { program, url } = await start('ours', {
      SOFTHSM2_CONF: join(theirs, 'softhsm/softhsm2.conf'),
      P11KMS_PKCS11_MODULE: '/usr/lib/softhsm/libsofthsm2.so',
      P11KMS_TOKEN_LABEL: 'p11kms',
      P11KMS_PIN_FILE: join(theirs, 'softhsm/pin'),
    });
    await program.printed('p11kms is ready');
    // Longer than the example of another token takes.
    await delay(1_000);
    const credentials = readCredentials(join(parent, 'ours/credentials'));
    const keys = await sendRaw({ url, credentials }, 'ListKeys', '{}');
    expect(keys.json()).toMatchObject({ Keys: [] });
    program.kill('SIGTERM');
    expect(await program.exitCode).toBe(0);
    expect(program.output).not.toContain('GenerateDataKeyPair');
    expect(existsSync(join(parent, 'ours/softhsm'))).toBe(false);
  });
});
