import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, Program, runToEnd } from '../support/program';

const ENTRYPOINT = resolve(__dirname, '../../softhsm/entrypoint.sh');

describe("the container's entry point", () => {
  let dataDir: string;
  const programs: Program[] = [];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'p11kms-entrypoint-'));
  });

  afterEach(async () => {
    for (const program of programs.splice(0)) {
      program.kill('SIGKILL');
      await program.exitCode;
    }
    rmSync(dataDir, { recursive: true, force: true });
  });

  const environment = (port: number, more: NodeJS.ProcessEnv = {}) => ({
    PATH: process.env.PATH,
    P11KMS_DATA_DIR: dataDir,
    P11KMS_PORT: String(port),
    ...more,
  });

  /** Runs the service until it answers /readyz, and returns it. */
  async function serve(): Promise<Program> {
    const port = await freePort();
    const program = new Program('sh', [ENTRYPOINT], { env: environment(port), cwd: tmpdir() });
    programs.push(program);
    await program.printed('p11kms is ready');
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    return program;
  }

  it('makes a token at the first start, serves, and uses the token again at the second', async () => {
    const first = await serve();
    const tokens = readdirSync(join(dataDir, 'softhsm/tokens'));
    expect(tokens).toHaveLength(1);
    // The shell has become the service: a container's SIGTERM reaches it, and its exit code is the container's.
    first.kill('SIGTERM');
    expect(await first.exitCode).toBe(0);

    const second = await serve();
    expect(readdirSync(join(dataDir, 'softhsm/tokens'))).toEqual(tokens);
    second.kill('SIGTERM');
    expect(await second.exitCode).toBe(0);
  });

  it('runs another command on the same token', async () => {
    const run = await runToEnd('sh', [ENTRYPOINT, 'doctor', '--json'], {
      env: environment(0),
      cwd: tmpdir(),
    });
    expect(run.exitCode).toBe(0);
    expect(JSON.parse(run.output)).toMatchObject({ canRun: true, report: { token: { label: 'p11kms' } } });
  });

  it('makes no token where a module is configured, and passes on how the service ends', async () => {
    const module = {
      P11KMS_PKCS11_MODULE: '/nonexistent/hsm.so',
      P11KMS_TOKEN_LABEL: 'hsm',
      P11KMS_PIN: '1234',
    };
    const run = await runToEnd('sh', [ENTRYPOINT], { env: environment(0, module), cwd: tmpdir() });
    expect(run.exitCode).toBe(1);
    expect(run.output).toMatch(/^p11kms: .*\/nonexistent\/hsm\.so.*\n$/);
    expect(existsSync(join(dataDir, 'softhsm'))).toBe(false);
  });

  it('does not start the service where the token cannot be had', async () => {
    const first = await serve();
    first.kill('SIGTERM');
    await first.exitCode;
    rmSync(join(dataDir, 'softhsm'), { recursive: true });
    const run = await runToEnd('sh', [ENTRYPOINT], { env: environment(0), cwd: tmpdir() });
    expect(run).toEqual({
      exitCode: 1,
      output: expect.stringMatching(/^p11kms: [^\n]*its token is gone[^\n]*\n$/),
    });
  });
});
