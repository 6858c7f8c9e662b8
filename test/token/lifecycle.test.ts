import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CKR_PIN_INCORRECT } from 'pkcs11js';
import { isAlive, workersOf } from '../support/processes';
import { type OpenToken, type ShimmedToken, shimmedSoftHsm, softHsm, until } from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  generatePair,
  type KeyObjects,
  refusalOf,
} from '../support/token-jobs';

const allGone = (pids: number[]) => until('all processes are gone', () => !pids.some(isAlive));

const everyPid = ({ events }: OpenToken) => events.started.map(({ pid }) => pid);

describe('workers that have done many jobs', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
  });

  afterEach(async () => fixture.remove());

  it('are replaced one by one and never at the cost of a job', async () => {
    const token = await fixture.open({ workerJobs: 20, tokenWorkers: 2 });
    const keys = await createKey(token);
    let jobs = 0;
    let most = 0;
    const caller = async () => {
      while (jobs < 500 || token.events.ended.length < 6) {
        const plaintext = randomBytes(32);
        expect(await decrypt(token, keys, await encrypt(token, keys, plaintext))).toEqual(plaintext);
        jobs += 2;
        most = Math.max(most, everyPid(token).filter(isAlive).length);
      }
    };
    await Promise.all(Array.from({ length: 4 }, caller));
    const reasons = token.events.ended.map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(['drained']));
    expect(token.events.failed).toEqual([]);
    // Each of three seats has a worker, perhaps the next one, and perhaps one that is ending.
    expect(most).toBeLessThanOrEqual(9);
    await token.close(1_000);
    await allGone(everyPid(token));
  });

  it('are replaced in the lane of key pairs too', async () => {
    const token = await fixture.open({ workerJobs: 10 });
    const keys = await createKey(token);
    const pairs = Array.from({ length: 60 }, () => refusalOf(generatePair(token, keys, 'ECC_NIST_P256')));
    expect(new Set(await Promise.all(pairs))).toEqual(new Set(['done']));
    await until('one was replaced', () => token.events.ended.length > 0);
    expect(token.events.ended[0]).toMatchObject({ lane: 'key-pairs', reason: 'drained' });
  });

  it('leave no process behind where the token is closed in the midst of it', async () => {
    const token = await fixture.open({ workerJobs: 5 });
    const keys = await createKey(token);
    const jobs = Array.from({ length: 400 }, () => refusalOf(encrypt(token, keys, AAD)));
    await until('the first are replaced', () => token.events.jobs.length > 20);
    await token.close(5_000);
    const answers = await Promise.all(jobs);
    expect(answers.filter((answer) => answer !== 'done' && answer !== 'KEY_UNAVAILABLE')).toEqual([]);
    await sleep(1_000);
    expect(workersOf()).toEqual([]);
    expect(token.events.failed).toEqual([]);
    // The PIN is wiped by then: a worker that began now would try a wrong one.
    expect(fixture.shim.count(({ rv }) => rv === CKR_PIN_INCORRECT)).toBe(0);
  });
});

describe('closing', () => {
  let fixture: ShimmedToken;
  let token: OpenToken;
  let keys: KeyObjects;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
    token = await fixture.open();
    keys = await createKey(token);
    await Promise.all(Array.from({ length: 8 }, () => encrypt(token, keys, AAD)));
  });

  afterEach(async () => fixture.remove());

  it('lets jobs in flight finish, refuses those that wait, and leaves no process', async () => {
    fixture.shim.set('C_Encrypt delay=500');
    const jobs = Array.from({ length: 6 }, () => refusalOf(encrypt(token, keys, AAD)));
    await token.close(5_000);
    expect(await Promise.all(jobs)).toEqual(['done', 'done', ...Array(4).fill('KEY_UNAVAILABLE')]);
    expect(everyPid(token).filter(isAlive)).toEqual([]);
    expect(token.events.ended.map(({ reason }) => reason)).toEqual(Array(3).fill('stopped'));
    // They took their leave of the module.
    expect(fixture.shim.count('C_Finalize')).toBe(3);
    expect(token.events.failed).toEqual([]);
  });

  it('does not wait longer than the grace', async () => {
    fixture.shim.set('C_Encrypt hang');
    const job = refusalOf(encrypt(token, keys, AAD));
    await until('the call hangs', () => fixture.shim.count(({ rule }) => rule === 'hang') === 1);
    const begun = Date.now();
    await token.close(300);
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect(await job).toBe('KEY_UNAVAILABLE');
    await allGone(everyPid(token));
  });

  it('does not wait for a worker that does not stop', async () => {
    fixture.shim.set('C_Finalize hang');
    const begun = Date.now();
    await token.close(1_000);
    expect(Date.now() - begun).toBeLessThan(10_000);
    await allGone(everyPid(token));
  });

  it('twice, or twice at once, is closing once', async () => {
    await Promise.all([token.close(1_000), token.close(1_000)]);
    await token.close(1_000);
    expect(everyPid(token).filter(isAlive)).toEqual([]);
    expect(token.events.ended).toHaveLength(3);
  });

  it('leaves nothing that takes a job', async () => {
    await token.close(1_000);
    expect(await refusalOf(encrypt(token, keys, AAD))).toBe('KEY_UNAVAILABLE');
    expect(await refusalOf(generatePair(token, keys, 'ECC_NIST_P256'))).toBe('KEY_UNAVAILABLE');
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    expect(token.stats().lanes).toMatchObject([
      { alive: 0, depth: 0 },
      { alive: 0, depth: 0 },
    ]);
  });

  it('while workers are coming back leaves none', async () => {
    for (const pid of token.pids()) process.kill(pid, 'SIGKILL');
    await until('all are gone', () => token.events.ended.length === 3);
    fixture.shim.set('C_Initialize delay=1000');
    await sleep(250);
    await token.close(1_000);
    await sleep(1_500);
    expect(workersOf()).toEqual([]);
    expect(token.events.started).toHaveLength(3);
    expect(token.events.failed).toEqual([]);
  });

  it('wipes the PIN', async () => {
    const pin = Buffer.from(fixture.pin);
    const other = await fixture.open({ pin });
    await other.close(1_000);
    expect(pin.equals(Buffer.alloc(pin.length))).toBe(true);
  });
});

describe('a start that fails', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
  });

  afterEach(async () => fixture.remove());

  it.each([
    ['the module cannot be loaded', { module: '/nowhere.so' }, [], /\/nowhere\.so.*does not start/],
    ['the module is none', { module: '/etc/hostname' }, [], /\/etc\/hostname.*does not start/],
    ['C_Initialize fails', {}, ['C_Initialize fail=0x5'], /does not start: C_Initialize answered 0x5/],
    ['C_Initialize aborts', {}, ['C_Initialize abort'], /SIGABRT/],
    ['C_OpenSession fails', {}, ['max-sessions=1'], /C_OpenSession answered 0xb1/],
  ])('because %s says so and leaves no process', async (_, overrides, rules, words) => {
    fixture.shim.set(...rules);
    await expect(fixture.open(overrides)).rejects.toThrow(words);
    await until('no worker is left', () => workersOf().length === 0);
  });

  it('because the second worker cannot log in leaves no process', async () => {
    fixture.shim.set('C_Login fail=0x30 skip=1');
    await expect(fixture.open({ tokenWorkers: 4 })).rejects.toThrow(/C_Login answered 0x30/);
    await until('no worker is left', () => workersOf().length === 0);
  });
});

describe('the workers', () => {
  it("inherit the environment that modules read, and none of p11kms's own settings", async () => {
    const fixture = await softHsm();
    process.env.P11KMS_PIN = 'must not be seen';
    process.env.ChrystokiConfigurationPath = '/etc/vendor';
    const token = await fixture.open();
    for (const pid of token.pids()) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      expect(environment).toContain('ChrystokiConfigurationPath=/etc/vendor');
      expect(environment).toContain('SOFTHSM2_CONF=');
      expect(environment).not.toContain('P11KMS_');
      expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toContain(fixture.pin);
    }
    delete process.env.P11KMS_PIN;
    delete process.env.ChrystokiConfigurationPath;
    await fixture.remove();
  });

  it('leave signals to the service: they finish their jobs', async () => {
    const fixture = await shimmedSoftHsm();
    const token = await fixture.open();
    const keys = await createKey(token);
    fixture.shim.set('C_Encrypt delay=300');
    const jobs = [1, 2].map(() => refusalOf(encrypt(token, keys, AAD)));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
      for (const pid of token.pids()) process.kill(pid, signal);
    expect(await Promise.all(jobs)).toEqual(['done', 'done']);
    expect(token.events.ended).toEqual([]);
    await fixture.remove();
  });
});
