import { randomBytes } from 'node:crypto';
import { isAlive } from '../support/processes';
import { type OpenToken, type ShimmedToken, shimmedSoftHsm, until } from '../support/token';
import { AAD, createKey, decrypt, encrypt, type KeyObjects, refusalOf } from '../support/token-jobs';

let fixture: ShimmedToken;
let token: OpenToken;
let keys: KeyObjects;

async function open(overrides: Parameters<ShimmedToken['open']>[0]): Promise<void> {
  token = await fixture.open(overrides);
  keys = await createKey(token);
  // Both workers know the key: a job is then the same calls in each.
  await Promise.all(Array.from({ length: 20 }, () => encrypt(token, keys, AAD)));
}

const endings = () => token.events.ended.map(({ reason }) => reason);

beforeEach(async () => {
  fixture = await shimmedSoftHsm();
});

afterEach(async () => fixture.remove());

describe('a hung token', () => {
  it('costs the caller that it hangs for one deadline, and nobody else anything', async () => {
    const deadline = 4_000;
    await open({ tokenTimeoutMs: deadline });
    const before = token.pids();
    fixture.shim.set('C_Encrypt hang times=1');
    const begun = Date.now();
    const hung = refusalOf(encrypt(token, keys, AAD));
    await until('the call hangs', () => fixture.shim.count(({ rule }) => rule === 'hang') === 1);

    // One worker is left for these, and they need not wait for the other's deadline.
    for (let count = 0; count < 20; count++) {
      const plaintext = randomBytes(32);
      expect(await decrypt(token, keys, await encrypt(token, keys, plaintext))).toEqual(plaintext);
    }
    expect(endings()).toEqual([]);

    expect(await hung).toBe('TOKEN_TIMEOUT');
    expect(Date.now() - begun).toBeGreaterThanOrEqual(deadline - 50);
    expect(endings()).toEqual(['killed']);
    const [{ pid } = { pid: 0 }] = token.events.ended;
    await until('the hung process is gone', () => !isAlive(pid));
    await until('it was replaced', () => token.pids().length === before.length);
    expect(token.stats().lanes).toMatchObject([{ alive: 2, busy: 0, depth: 0 }, { alive: 1 }]);
  });

  it('answers all that waited for the worker it hung', async () => {
    await open({ tokenWorkers: 1, tokenTimeoutMs: 4_000 });
    fixture.shim.set('C_Encrypt hang times=1');
    const first = refusalOf(encrypt(token, keys, AAD));
    await until('the call hangs', () => fixture.shim.count(({ rule }) => rule === 'hang') === 1);
    // Asked for late enough to outwait the hung call and the new worker's start.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const others = Array.from({ length: 10 }, () => refusalOf(encrypt(token, keys, AAD)));
    expect(await first).toBe('TOKEN_TIMEOUT');
    expect(new Set(await Promise.all(others))).toEqual(new Set(['done']));
  });

  it('that hangs in every call costs each caller its deadline, and works again when it is well', async () => {
    await open({ tokenTimeoutMs: 2_000 });
    fixture.shim.set('C_EncryptInit hang');
    const jobs = [1, 2].map(() => refusalOf(encrypt(token, keys, AAD)));
    expect(await Promise.all(jobs)).toEqual(['TOKEN_TIMEOUT', 'TOKEN_TIMEOUT']);
    fixture.shim.clear();
    await until('a worker is back', () => token.stats().lanes[0]?.alive === 2, 30_000);
    expect(await refusalOf(encrypt(token, keys, AAD))).toBe('done');
  });
});

describe('a module that aborts', () => {
  it('once costs nobody anything', async () => {
    await open({});
    fixture.shim.set('C_Encrypt abort times=1');
    const plaintexts = Array.from({ length: 100 }, () => randomBytes(32));
    const sealed = await Promise.all(plaintexts.map((plaintext) => encrypt(token, keys, plaintext)));
    expect(await Promise.all(sealed.map((each) => decrypt(token, keys, each)))).toEqual(plaintexts);
    expect(fixture.shim.count(({ rule }) => rule === 'abort')).toBe(1);
    expect(endings()).toEqual(['crashed']);
    expect(token.events.ended[0]?.detail).toContain('SIGABRT');
    await until('it was replaced', () => token.pids().length === 3);
  });

  it('of one kind of job every time costs that job alone', async () => {
    await open({});
    fixture.shim.set('C_Decrypt abort');
    const sealed = await encrypt(token, keys, AAD);
    fixture.shim.clearLog();
    const poison = refusalOf(decrypt(token, keys, sealed));
    const others = Array.from({ length: 200 }, () => refusalOf(encrypt(token, keys, AAD)));
    expect(new Set(await Promise.all(others))).toEqual(new Set(['done']));
    expect(await poison).toBe('INTERNAL');
    // Tried twice: it might have been another job's doing.
    expect(endings()).toEqual(['crashed', 'crashed']);
    fixture.shim.clear();
    expect(await decrypt(token, keys, sealed)).toEqual(AAD);
  });

  it('does not have a key made twice', async () => {
    await open({});
    fixture.shim.set('C_GenerateKey abort skip=1');
    expect(await refusalOf(createKey(token, 'torn'))).toBe('INTERNAL');
    fixture.shim.clear();
    const { objects } = await token.run('listObjects', { labelPrefix: 'p11kms/test/torn/' });
    expect(objects.map(({ label }) => label)).toEqual(['p11kms/test/torn/1/encrypt']);
    await token.run('destroyObjects', { ids: objects.map(({ id }) => id) });
  });
});

describe('a job that changes what is on the token', () => {
  it('runs alone among its kind, and those behind it run when it fails too', async () => {
    await open({ tokenWorkers: 3 });
    fixture.shim.set('C_GenerateKey delay=200', 'C_GenerateKey abort skip=2 times=1');
    fixture.shim.clearLog();
    const made = Array.from({ length: 4 }, (_, index) => refusalOf(createKey(token, `alone-${index}`)));
    // Others do not wait for them.
    await encrypt(token, keys, AAD);
    expect(token.stats().lanes[0]).toMatchObject({ busy: 1, depth: 3 });
    expect(await Promise.all(made)).toEqual(['done', 'INTERNAL', 'done', 'done']);
    // The two objects of a key are made by one worker, one after the other.
    const makers = fixture.shim.log().filter((call) => call.function === 'C_GenerateKey' && call.created);
    for (const [index, { pid }] of makers.entries()) if (index % 2) expect(makers[index - 1]?.pid).toBe(pid);
  });
});

describe('sessions that are lost under load', () => {
  it('lose no job', async () => {
    await open({ tokenWorkers: 3 });
    const { shim } = fixture;
    fixture.shim.set('C_Encrypt delay=5');
    const plaintexts = Array.from({ length: 500 }, () => randomBytes(48));
    const sealed = plaintexts.map((plaintext) => encrypt(token, keys, plaintext));
    for (const done of [50, 250]) {
      await until('some jobs are done', () => token.events.jobs.length > 20 + done);
      shim.invalidate('sessions');
    }
    const opened = (await Promise.all(sealed)).map((each) => decrypt(token, keys, each));
    expect(await Promise.all(opened)).toEqual(plaintexts);
    expect(endings().length).toBeGreaterThanOrEqual(4);
    expect(new Set(endings())).toEqual(new Set(['lost']));
    expect(new Set(token.events.jobs.map(({ outcome }) => outcome))).toEqual(new Set(['ok']));
  });

  it('lose no job where only new processes are well', async () => {
    await open({ tokenWorkers: 3 });
    const jobs = Array.from({ length: 300 }, () => refusalOf(encrypt(token, keys, AAD)));
    fixture.shim.invalidate('processes');
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
    await until('the workers are back', () => token.stats().lanes[0]?.alive === 3);
    expect(await refusalOf(encrypt(token, keys, AAD))).toBe('done');
  });
});
