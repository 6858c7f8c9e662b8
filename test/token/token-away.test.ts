import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../../src/errors';
import {
  type OpenToken,
  type ShimmedToken,
  shimmedSoftHsm,
  softHsm,
  type TestToken,
  until,
} from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  generatePair,
  type KeyObjects,
  refusalOf,
} from '../support/token-jobs';

/** How long at most "at once" may take on a busy machine; a start alone takes longer than this. */
const AT_ONCE_MS = 100;

async function answersAtOnce(job: Promise<unknown>): Promise<string> {
  const begun = performance.now();
  const answer = await refusalOf(job);
  return performance.now() - begun < AT_ONCE_MS ? answer : `${answer}, late`;
}

const alive = (token: OpenToken) => token.stats().lanes.map((lane) => lane.alive);

describe('a token that is pulled out', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
  });

  afterEach(async () => fixture.remove());

  it('is missed at once, and works again by itself when it is back', async () => {
    const token = await fixture.open();
    const keys = await createKey(token);
    const sealed = await encrypt(token, keys, AAD);

    fixture.shim.set('token-away');
    fixture.shim.invalidate();
    const first = [
      encrypt(token, keys, AAD),
      decrypt(token, keys, sealed),
      generatePair(token, keys, 'RSA_2048'),
    ];
    expect(await Promise.all(first.map(refusalOf))).toEqual(Array(3).fill('KEY_UNAVAILABLE'));
    await until('both lanes failed to come back', () => {
      const lanes = token.events.failed.map(({ lane }) => lane);
      return alive(token).every((count) => count === 0) && new Set(lanes).size === 2 && lanes.length >= 3;
    });
    for (const job of [
      () => encrypt(token, keys, AAD),
      () => generatePair(token, keys, 'RSA_2048'),
      () => token.ping(),
    ])
      expect(await answersAtOnce(job())).toBe('KEY_UNAVAILABLE');
    expect(token.events.failed[0]?.message).toContain(`no token is labelled "${fixture.label}"`);

    fixture.shim.clear();
    await until('all workers are back', () => alive(token).join() === '2,1');
    expect(await decrypt(token, keys, sealed)).toEqual(AAD);
    expect(await refusalOf(generatePair(token, keys, 'ECC_NIST_P256'))).toBe('done');
    expect(token.events.fatal).toEqual([]);
  });

  it('while nobody asks anything is noticed by a ping', async () => {
    const token = await fixture.open();
    fixture.shim.set('token-away');
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    fixture.shim.clear();
    await until('all workers are back', () => alive(token)[0] === 2);
    await token.ping();
  });

  it.each(['0x30', '0x31', '0x32'])('is missed in other words too: %s', async (ckr) => {
    const token = await fixture.open();
    fixture.shim.set(`token-away=${ckr}`);
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    expect(new Set(token.events.ended.map(({ reason }) => reason))).toEqual(new Set(['lost']));
  });

  it('for a moment costs no job', async () => {
    const token = await fixture.open();
    const keys = await createKey(token);
    fixture.shim.set('C_Encrypt fail=0xe0 times=1');
    const jobs = Array.from({ length: 50 }, () => refusalOf(encrypt(token, keys, AAD)));
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
  });

  it('is tried ever more slowly', async () => {
    const token = await fixture.open({ tokenWorkers: 1 });
    fixture.shim.set('token-away');
    fixture.shim.clearLog();
    await refusalOf(token.ping());
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(token.events.failed.length).toBeGreaterThanOrEqual(2);
    expect(token.events.failed.length).toBeLessThanOrEqual(6);
  });

  it('at the first start is a StartError that says which tokens there are', async () => {
    fixture.shim.set('token-away');
    await expect(fixture.open()).rejects.toThrow(
      new StartError(`no token is labelled "${fixture.label}"; tokens present: none`),
    );
    fixture.shim.clear();
    await expect(fixture.open({ tokenLabel: 'another' })).rejects.toThrow(
      `no token is labelled "another"; tokens present: "${fixture.label}"`,
    );
  });
});

describe("SoftHSM2's directory", () => {
  let fixture: TestToken;
  let token: OpenToken;
  let keys: KeyObjects;

  const away = () => renameSync(join(fixture.directory, 'tokens'), join(fixture.directory, 'away'));
  const back = () => renameSync(join(fixture.directory, 'away'), join(fixture.directory, 'tokens'));

  beforeEach(async () => {
    fixture = await softHsm();
    token = await fixture.open();
    keys = await createKey(token);
  });

  afterEach(async () => fixture.remove());

  it('moved away is missed, not taken for an empty token, and found again when it is back', async () => {
    const plaintext = randomBytes(32);
    const sealed = await encrypt(token, keys, plaintext);
    away();
    await until('the token is missed', () => {
      void refusalOf(token.ping());
      return alive(token)[0] === 0 && token.events.failed.length > 0;
    });
    expect(await refusalOf(decrypt(token, keys, sealed))).toBe('KEY_UNAVAILABLE');
    // Nothing is found now, which does not mean that it is destroyed.
    expect(await refusalOf(token.run('destroyObjects', { ids: [keys.encryptObject] }))).toBe(
      'KEY_UNAVAILABLE',
    );
    back();
    await until('the workers are back', () => alive(token)[0] === 2);
    expect(await decrypt(token, keys, sealed)).toEqual(plaintext);
    expect(await refusalOf(generatePair(token, keys, 'ECC_NIST_P256'))).toBe('done');
  });

  it('moved away and back under load: every answer is right, or that the key is not available', async () => {
    const plaintexts = Array.from({ length: 400 }, () => randomBytes(32));
    const answers: string[] = [];
    const roundTrip = async (plaintext: Buffer) => {
      const opened = await decrypt(token, keys, await encrypt(token, keys, plaintext));
      return opened.equals(plaintext) ? 'right' : 'wrong';
    };
    const caller = async () => {
      for (let plaintext = plaintexts.pop(); plaintext; plaintext = plaintexts.pop()) {
        answers.push(await roundTrip(plaintext).catch((error: { code: string }) => error.code));
        if (answers.length === 100) away();
        if (answers.length === 200) back();
      }
    };
    await Promise.all(Array.from({ length: 4 }, caller));
    expect(answers).toHaveLength(400);
    expect(answers.filter((answer) => answer !== 'right' && answer !== 'KEY_UNAVAILABLE')).toEqual([]);
    await until('the token works again', () => alive(token)[0] === 2);
    expect(await roundTrip(randomBytes(32))).toBe('right');
  });
});
