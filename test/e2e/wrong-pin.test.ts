import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diagnosis, doctor } from '../support/doctor';
import { p11kms, startServer } from '../support/server';
import { createShimSite } from '../support/site';

const CKF_USER_PIN_COUNT_LOW = 0x10000;
const CKF_USER_PIN_FINAL_TRY = 0x20000;
const CKF_USER_PIN_LOCKED = 0x40000;
const WRONG_PIN = '0000000000000000';

let site: Awaited<ReturnType<typeof createShimSite>>;
let pinFile: string;
let memory: string;

beforeAll(async () => {
  site = await createShimSite();
  pinFile = String(site.env.P11KMS_PIN_FILE);
  memory = join(site.dataDir, 'refused-pin.json');
});

beforeEach(() => {
  site.shim.clear();
  site.shim.clearLog();
});

const setPin = (pin: string) => writeFileSync(pinFile, pin);
const serve = () => p11kms(['serve'], site, { P11KMS_PORT: '0' });

// One story, told in its order.

it('a wrong PIN is tried once: exit code 78, and it is remembered', async () => {
  setPin(WRONG_PIN);
  const { code, stdout, stderr } = await serve();
  expect(code).toBe(78);
  expect(stderr).toMatch(/^p11kms: token ".*": the token refuses the PIN: .*\n$/);
  expect(site.shim.count('C_Login')).toBe(1);

  expect(statSync(memory).mode & 0o777).toBe(0o600);
  for (const text of [stdout, stderr, readFileSync(memory, 'utf8')]) expect(text).not.toContain(WRONG_PIN);
});

it('the same wrong PIN does not reach the token again, by serve or doctor', async () => {
  for (const run of [serve, () => doctor(site)]) {
    const { code, stderr } = await run();
    expect(code).toBe(78);
    expect(stderr).toMatch(/^p11kms: the token ".*" refused this PIN on .* and it was not tried again.*\n$/);
  }
  expect(await diagnosis(site)).toMatchObject({
    code: 78,
    canRun: false,
    trouble: expect.stringContaining('refused this PIN on'),
  });
  expect(site.shim.log()).toEqual([]);
});

it('another wrong PIN is tried once more', async () => {
  setPin(`${WRONG_PIN}1`);
  expect((await serve()).code).toBe(78);
  expect(site.shim.count('C_Login')).toBe(1);
  expect((await serve()).code).toBe(78);
  expect(site.shim.count('C_Login')).toBe(1);
});

it('the right PIN works, warns of the tries, and what was remembered is removed', async () => {
  setPin(site.token.pin);
  site.shim.set(`set-flags=${CKF_USER_PIN_COUNT_LOW}`);
  const server = await startServer(site);
  expect(existsSync(memory)).toBe(false);
  const ready = server.log().find(({ message }) => message === 'p11kms is ready');
  expect(JSON.stringify(ready?.warnings)).toContain('counts a wrong user PIN');
  await server.terminate();
});

it.each([
  ['has locked', CKF_USER_PIN_LOCKED, /the token has locked its user PIN/],
  ['would lock at the next wrong', CKF_USER_PIN_FINAL_TRY, /one more wrong PIN locks the token/],
])('a token that %s PIN is left alone: exit code 78', async (_what, flag, words) => {
  site.shim.set(`set-flags=${flag}`);
  const { code, stderr } = await serve();
  expect(code).toBe(78);
  expect(stderr).toMatch(words);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(site.shim.count('C_Login')).toBe(0);
  expect(existsSync(memory)).toBe(false);
});

it('a token that refuses the PIN while the service runs ends the service: exit code 78', async () => {
  const server = await startServer(site);
  // Somebody has set another PIN; the next worker that has to log in finds out.
  site.shim.set('C_Login fail=0xA0');
  const [worker = 0] = server.workers();
  process.kill(worker, 'SIGKILL');
  expect(await server.ended).toEqual({ code: 78, signal: null });
  expect(existsSync(memory)).toBe(true);
  expect(server.workers()).toEqual([]);
  site.shim.clear();
  site.shim.clearLog();
  expect((await serve()).code).toBe(78);
  expect(site.shim.log()).toEqual([]);
});
