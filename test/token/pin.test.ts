import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as p11 from 'pkcs11js';
import { EXIT, StartError } from '../../src/errors';
import type { TokenOptions } from '../../src/hsm/token';
import { Driver } from '../support/pkcs11-shim/driver';
import { nss, type ShimmedToken, shimmedSoftHsm, until } from '../support/token';
import { AAD, createKey, encrypt, refusalOf } from '../support/token-jobs';

const WRONG = 'not the PIN';

let fixture: ShimmedToken;

beforeEach(async () => {
  fixture = await shimmedSoftHsm();
});

afterEach(async () => fixture.remove());

const logins = () => fixture.shim.count('C_Login');
const memory = () => join(fixture.dataDir, 'refused-pin.json');

/** How a start with this PIN is refused. */
async function refusal(pin: string, overrides: Partial<TokenOptions> = {}): Promise<StartError> {
  const opened = await fixture.open({ pin: Buffer.from(pin), ...overrides }).catch((error: unknown) => error);
  if (!(opened instanceof StartError)) throw opened;
  expect(opened.message).not.toContain(pin);
  return opened;
}

describe('a wrong PIN', () => {
  it('is tried once, and never again', async () => {
    const first = await refusal(WRONG);
    expect(first.exitCode).toBe(EXIT.pinRefused);
    expect(first.message).toMatch(/refuses the PIN.*P11KMS_PIN_FILE/);
    expect(logins()).toBe(1);

    expect(statSync(memory()).mode & 0o777).toBe(0o600);
    expect(readFileSync(memory(), 'latin1')).not.toContain(WRONG);
    expect(readFileSync(memory(), 'latin1')).not.toContain(Buffer.from(WRONG).toString('hex'));

    fixture.shim.clearLog();
    const second = await refusal(WRONG);
    expect(second.exitCode).toBe(EXIT.pinRefused);
    expect(second.message).toContain(memory());
    // The module was not even loaded.
    expect(fixture.shim.log()).toEqual([]);
  });

  it('does not keep another one from being tried, which is remembered in its turn', async () => {
    await refusal(WRONG);
    expect((await refusal('another wrong PIN')).message).toMatch(/refuses the PIN/);
    expect(logins()).toBe(2);
    fixture.shim.clearLog();
    await refusal('another wrong PIN');
    expect(logins()).toBe(0);
  });

  it('is forgotten when the token takes the right one', async () => {
    await refusal(WRONG);
    const token = await fixture.open();
    expect(existsSync(memory())).toBe(false);
    await token.close(1_000);
  });

  it('says nothing of another token', async () => {
    await refusal(WRONG);
    const other = await shimmedSoftHsm();
    const opened = other.open({ pin: Buffer.from(WRONG), dataDir: fixture.dataDir });
    await expect(opened).rejects.toThrow(/refuses the PIN/);
    expect(other.shim.count('C_Login')).toBe(1);
    await other.remove();
  });

  it('stops the start with the same exit code where it cannot be remembered', async () => {
    const file = join(fixture.directory, 'a-file');
    writeFileSync(file, '');
    const { exitCode, message } = await refusal(WRONG, { dataDir: join(file, 'data') });
    expect(exitCode).toBe(EXIT.pinRefused);
    expect(message).toMatch(/refuses the PIN/);
    expect(message).toMatch(/could not be remembered/);
  });

  it('is not believed to have been refused because of a memory that cannot be read', async () => {
    mkdirSync(dirname(memory()), { recursive: true });
    writeFileSync(memory(), '{"tokenLabel":');
    const token = await fixture.open();
    await token.close(1_000);
  });

  it.each([
    ['too long', p11.CKR_PIN_LEN_RANGE],
    ['expired', p11.CKR_PIN_EXPIRED],
    ['invalid', p11.CKR_PIN_INVALID],
  ])('is what a token means that calls it %s', async (_, ckr) => {
    fixture.shim.set(`C_Login fail=${ckr}`);
    expect((await refusal(fixture.pin)).exitCode).toBe(EXIT.pinRefused);
    expect(logins()).toBe(1);
    expect(existsSync(memory())).toBe(true);
  });

  it('locks a token: that is said, and not taken for a wrong PIN', async () => {
    fixture.shim.set(`C_Login fail=${p11.CKR_PIN_LOCKED}`);
    const { exitCode, message } = await refusal(fixture.pin);
    expect(exitCode).toBe(EXIT.pinRefused);
    expect(message).toMatch(/locked/);
    expect(logins()).toBe(1);
    expect(existsSync(memory())).toBe(false);
  });
});

describe('what the token says of its PIN', () => {
  it.each([
    ['its last try', p11.CKF_USER_PIN_FINAL_TRY, /one more wrong PIN/],
    ['locked', p11.CKF_USER_PIN_LOCKED, /locked/],
  ])('%s: it is not tried', async (_, flag, words) => {
    fixture.shim.set(`set-flags=${flag}`);
    const { exitCode, message } = await refusal(fixture.pin);
    expect(exitCode).toBe(EXIT.pinRefused);
    expect(message).toMatch(words);
    expect(logins()).toBe(0);
    expect(existsSync(memory())).toBe(false);
  });

  it('a low count is a warning', async () => {
    fixture.shim.set(`set-flags=${p11.CKF_USER_PIN_COUNT_LOW}`);
    const token = await fixture.open();
    expect(token.report.warnings).toEqual([expect.stringMatching(/wrong user PIN/)]);
  });

  it('a last try does not keep a running service from replacing a worker', async () => {
    const token = await fixture.open();
    fixture.shim.set(`set-flags=${p11.CKF_USER_PIN_FINAL_TRY}`);
    process.kill(Number(token.pids()[0]), 'SIGKILL');
    await until('it was replaced', () => token.events.started.length === 4);
    expect(token.events.fatal).toEqual([]);
  });
});

describe('logging in', () => {
  it('is tried again where the token is merely busy', async () => {
    fixture.shim.set(`C_Login fail=${p11.CKR_GENERAL_ERROR} times=3`);
    const token = await fixture.open({ tokenWorkers: 1 });
    expect(logins()).toBe(5);
    await token.close(1_000);
    expect(existsSync(memory())).toBe(false);
  });

  it('is given up after a while, and then the PIN is not to blame', async () => {
    fixture.shim.set(`C_Login fail=${p11.CKR_GENERAL_ERROR}`);
    const { exitCode, message } = await refusal(fixture.pin);
    expect(exitCode).toBe(EXIT.failed);
    expect(message).toMatch(/C_Login answered 0x5/);
    expect(existsSync(memory())).toBe(false);
  });
});

describe('a PIN that is changed while the service runs', () => {
  const fewer = { tokenWorkers: 3, keyPairWorkers: 2 };

  async function changePin(): Promise<void> {
    const env = { SOFTHSM2_CONF: String(process.env.SOFTHSM2_CONF) };
    const on = await Driver.start(fixture.shim, { env, label: fixture.label, pin: fixture.pin });
    const session = await on.login();
    await on.call('C_SetPIN', session, fixture.pin, 'the new PIN');
    await on.kill();
    fixture.shim.clearLog();
  }

  it('ends the service, with one more try in all, though all workers are lost at once', async () => {
    const token = await fixture.open(fewer);
    await changePin();
    for (const pid of token.pids()) process.kill(pid, 'SIGKILL');
    await until('the service is told', () => token.events.fatal.length > 0);
    expect(token.events.fatal[0]).toMatchObject({ exitCode: EXIT.pinRefused });
    // Long enough for every worker to come back several times.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(logins()).toBe(1);
    expect(token.events.fatal).toHaveLength(1);
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    expect(existsSync(memory())).toBe(true);
  });

  it('does not disturb the workers that are logged in', async () => {
    const token = await fixture.open(fewer);
    const keys = await createKey(token);
    await changePin();
    for (const pid of token.pids().slice(0, 2)) process.kill(pid, 'SIGKILL');
    await until('the service is told', () => token.events.fatal.length > 0);
    expect(await refusalOf(encrypt(token, keys, AAD))).toBe('done');
    for (const pid of token.pids().slice(0, 1)) process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(logins()).toBe(1);
  });

  it('is found out by a worker that would have replaced a worn one, and the worn ones go on', async () => {
    const token = await fixture.open({ tokenWorkers: 2, workerJobs: 10 });
    const keys = await createKey(token);
    await changePin();
    const jobs = Array.from({ length: 100 }, () => refusalOf(encrypt(token, keys, AAD)));
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
    await until('the service is told', () => token.events.fatal.length > 0);
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
    expect(token.pids()).toHaveLength(3);
    expect(logins()).toBe(1);
  });
});

it('an empty PIN opens a token that wants none', async () => {
  const empty = await nss('');
  const token = await empty.open();
  const keys = await createKey(token);
  expect(await refusalOf(encrypt(token, keys, AAD))).toBe('done');
  await empty.remove();
});

it('NSS refuses a wrong PIN with the same words', async () => {
  const database = await nss();
  const opened = database.open({ pin: Buffer.from(WRONG) });
  await expect(opened).rejects.toMatchObject({
    exitCode: EXIT.pinRefused,
    message: expect.stringMatching(/refuses the PIN/),
  });
  rmSync(join(database.dataDir, 'refused-pin.json'));
  await database.remove();
});
