import { KmsError } from '../../../src/errors';
import { cancelKeyDeletion, scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { createKey, disableKey, enableKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import {
  disableKeyRotation,
  enableKeyRotation,
  rotateDueKeys,
  rotateExhausted,
} from '../../../src/kms/rotation';
import { cleanUp, codeOf, newCall, openDomain } from './fixture';
import {
  decryptAll,
  encryptUnder,
  onDemand,
  rotateDue,
  setNext,
  tellingRotations,
  versionsOf,
  withKey,
} from './rotating';

const DAY = 86_400_000;
const MINUTE = 60_000;
const unavailable = () => new KmsError('KEY_UNAVAILABLE', 'The token is not available.');

describe('automatic rotation', () => {
  it('comes a period after it was enabled, and then every period', async () => {
    const { kms, key } = await withKey();
    const before = Date.now();
    await enableKeyRotation(kms, newCall(), { keyId: key.id, periodInDays: 90 });
    const { rotation } = await kms.keys.resolve(key.id);
    expect(rotation?.periodInDays).toBe(90);
    const first = rotation?.nextAt.getTime() ?? 0;
    expect(first).toBeGreaterThanOrEqual(before + 90 * DAY);
    const now = jest.spyOn(Date, 'now').mockReturnValue(first - 1);
    try {
      expect(await rotateDue(kms)).toEqual([]);
      now.mockReturnValue(first + 5);
      expect(await rotateDue(kms)).toEqual([key.id]);
      expect(await rotateDue(kms)).toEqual([]);
      now.mockReturnValue(first + 5 + 90 * DAY);
      expect(await rotateDue(kms)).toEqual([key.id]);
    } finally {
      now.mockRestore();
    }
    expect(await versionsOf(kms, key)).toEqual([
      [1, null],
      [2, 'automatic'],
      [3, 'automatic'],
    ]);
  });

  it('that was missed for years is one rotation, and the next is a whole period away', async () => {
    const { kms, key } = await withKey();
    await setNext(kms, key, Date.now() - 1_000 * DAY);
    expect(await rotateDue(kms)).toEqual([key.id]);
    expect(await rotateDue(kms)).toEqual([]);
    const { rotation } = await kms.keys.resolve(key.id);
    expect(rotation?.nextAt.getTime()).toBeGreaterThan(Date.now() + 90 * DAY - MINUTE);
  });

  it('lets old ciphertexts open, and new ones use the new version', async () => {
    const { kms, key } = await withKey();
    const ciphertexts: Buffer[] = [];
    for (let number = 1; number <= 3; number++) {
      const { ciphertext } = await encryptUnder(kms, key);
      expect(ciphertext.readUInt32BE(20)).toBe(number);
      ciphertexts.push(ciphertext);
      await setNext(kms, key, 1);
      await rotateDue(kms);
    }
    await decryptAll(kms, ciphertexts);
  });

  it('waits for a disabled key to be enabled, and for the end of a deletion that is cancelled', async () => {
    const { kms, key } = await withKey();
    await setNext(kms, key, 1);
    await disableKey(kms, newCall(), key.id);
    expect(await rotateDue(kms)).toEqual([]);
    await scheduleKeyDeletion(kms, newCall(), { keyId: key.id, windowInDays: 7 });
    expect(await rotateDue(kms)).toEqual([]);
    await cancelKeyDeletion(kms, newCall(), key.id);
    expect(await rotateDue(kms)).toEqual([]);
    await enableKey(kms, newCall(), key.id);
    expect(await rotateDue(kms)).toEqual([key.id]);
  });

  it('is not for a key that is disabled just when its turn comes', async () => {
    const { kms, token, key } = await withKey();
    await setNext(kms, key, 1);
    jest.spyOn(kms.store.keys, 'dueForRotation').mockResolvedValue([key.id]);
    await disableKey(kms, newCall(), key.id);
    expect(await rotateDue(kms)).toEqual([]);
    expect(token.objects.size).toBe(2);
  });

  it('is once where several instances look at the same time', async () => {
    const domain = await withKey();
    const others = [await openDomain({ sharing: domain }), await openDomain({ sharing: domain })];
    const kmses = [domain, ...others].map(({ kms }) => kms);
    await setNext(domain.kms, domain.key, 1);
    // SQLite serves one process: here, as there, one after the other has the lock.
    const rotated = [];
    for (const kms of kmses) rotated.push(...(await rotateDue(kms)));
    expect(rotated).toEqual([domain.key.id]);
    const both = await Promise.all([rotateDue(domain.kms), rotateDue(domain.kms)]);
    expect(both).toEqual([[], []]);
  });

  it('asked for again does not put off what is due; with another period it begins anew', async () => {
    const { kms, key } = await withKey();
    const nextAt = Date.now() + 5 * DAY;
    await setNext(kms, key, nextAt);
    await enableKeyRotation(kms, newCall(), { keyId: key.id, periodInDays: 90 });
    expect((await kms.keys.resolve(key.id)).rotation?.nextAt.getTime()).toBe(nextAt);
    await enableKeyRotation(kms, newCall(), { keyId: key.id, periodInDays: 365 });
    const { rotation } = await kms.keys.resolve(key.id);
    expect(rotation?.periodInDays).toBe(365);
    expect(rotation?.nextAt.getTime()).toBeGreaterThan(Date.now() + 364 * DAY);
  });

  it('that is turned off while it runs is off', async () => {
    const { kms, token, key } = await withKey();
    await setNext(kms, key, 1);
    const run = token.run.bind(token);
    const running = jest.spyOn(token, 'run').mockImplementation(async (name, input, ...rest) => {
      if (name === 'createKeyObjects') await disableKeyRotation(kms, newCall(), key.id);
      return run(name, input, ...rest);
    });
    expect(await rotateDue(kms)).toEqual([key.id]);
    running.mockRestore();
    expect(await kms.keys.resolve(key.id)).not.toHaveProperty('rotation');
    expect(await kms.store.keys.dueForRotation(Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  it.each([
    ['enabling', (kms: Kms, keyId: string) => enableKeyRotation(kms, newCall(), { keyId, periodInDays: 90 })],
    ['disabling', (kms: Kms, keyId: string) => disableKeyRotation(kms, newCall(), keyId)],
  ])('is for enabled keys: %s it for a disabled one is refused', async (_what, change) => {
    const { kms, key } = await withKey();
    await disableKey(kms, newCall(), key.id);
    expect(await codeOf(change(kms, key.id))).toBe('DISABLED');
  });
});

it('EnableKeyRotation goes by the store, whatever this instance remembers', async () => {
  const here = await withKey();
  const { kms, key } = here;
  const there = await openDomain({ sharing: here });
  const wanted = { keyId: key.id, periodInDays: 365 };
  await enableKeyRotation(kms, newCall(), wanted);
  await kms.keys.resolve(key.id);
  await disableKeyRotation(there.kms, newCall(), key.id);
  await enableKeyRotation(kms, newCall(), wanted);
  expect(await kms.store.keys.find(key.id)).toMatchObject({ rotation_period_days: 365 });
});

describe('a rotation that fails', () => {
  it('leaves the key as it was, and is tried again', async () => {
    const { kms, token, key } = await withKey();
    await setNext(kms, key, 1);
    token.failAt('createKeyObjects', unavailable());
    await expect(rotateDue(kms)).rejects.toThrow('not available');
    expect(await kms.store.versions.unfinished()).toEqual([]);
    const { ciphertext } = await encryptUnder(kms, key);
    expect(ciphertext.readUInt32BE(20)).toBe(1);
    token.work();
    expect(await rotateDue(kms)).toEqual([key.id]);
    expect(await versionsOf(kms, key)).toEqual([
      [1, null],
      // The number of the one that failed is not used again.
      [3, 'automatic'],
    ]);
  });

  it('by running out of time leaves what the token may still make alone, and takes the next number', async () => {
    const { kms, token, key } = await withKey();
    token.failAt('createKeyObjects', new KmsError('TOKEN_TIMEOUT', 'too late'));
    expect(await codeOf(onDemand(kms, key))).toBe('TOKEN_TIMEOUT');
    const [late] = await kms.store.versions.unfinished();
    expect(late).toMatchObject({ keyId: key.id, number: 2 });
    expect(token.jobNames).not.toContain('destroyObjects');
    token.work();
    await onDemand(kms, key);
    expect(await versionsOf(kms, key)).toEqual([
      [1, null],
      [3, 'on_demand'],
    ]);
    for (const id of late?.objects ?? []) token.objects.set(id, 'made after all');
    const { ciphertext } = await encryptUnder(kms, key);
    expect(await cleanUp(kms)).toBe(1);
    expect(token.objects.size).toBe(4);
    await decryptAll(kms, [ciphertext]);
    await onDemand(kms, key);
    expect((await versionsOf(kms, key))?.at(-1)).toEqual([4, 'on_demand']);
  });

  it('of one key holds up no other', async () => {
    const { kms, token, key } = await withKey();
    const keys = [key];
    for (let count = 0; count < 2; count++) keys.push(await createKey(kms, newCall(), { description: '' }));
    for (const one of keys) await setNext(kms, one, 1);
    const run = token.run.bind(token);
    const stuck = `/${keys[1]?.id}/`;
    jest.spyOn(token, 'run').mockImplementation(async (name, input, ...rest) => {
      if (JSON.stringify(input).includes(stuck)) throw new Error('stuck');
      return run(name, input, ...rest);
    });
    const failed: string[] = [];
    const rotated: string[] = [];
    await expect(rotateDueKeys(tellingRotations(kms, rotated), (id) => failed.push(id))).rejects.toThrow(
      'stuck',
    );
    expect(rotated.sort()).toEqual([keys[0]?.id, keys[2]?.id].sort());
    expect(failed).toEqual([keys[1]?.id]);
  });

  it('is not done where there is no room for its record', async () => {
    const { kms, key, token } = await withKey();
    await setNext(kms, key, 1);
    token.jobs.length = 0;
    const full = new KmsError('AUDIT_UNAVAILABLE', 'The disk is full.');
    const failed = jest.fn();
    const rotating = () => Promise.reject(full);
    await expect(rotateDueKeys({ ...kms, rotating }, failed)).rejects.toBe(full);
    await expect(rotateExhausted({ ...kms, rotating }, key)).rejects.toBe(full);
    expect(failed).toHaveBeenCalledTimes(1);
    expect(token.jobs).toEqual([]);
    expect(await versionsOf(kms, key)).toHaveLength(1);
  });

  it('through a crash leaves the key as it was', async () => {
    const domain = await withKey();
    const { kms, key, token } = domain;
    jest.spyOn(kms.store.versions, 'finish').mockRejectedValue(new Error('killed'));
    await expect(onDemand(kms, key)).rejects.toThrow('killed');
    expect(token.objects.size).toBe(4);
    const after = await openDomain({ sharing: domain });
    expect(await cleanUp(after.kms)).toBe(1);
    const { encryptObject, wrapObject } = key.current;
    expect([...after.token.objects.keys()].sort()).toEqual([encryptObject, wrapObject].sort());
    await onDemand(after.kms, key);
    await decryptAll(after.kms, [(await encryptUnder(after.kms, key)).ciphertext]);
  });
});

it('an exhausted version is rotated once, whoever says so, and only while the key is enabled', async () => {
  const { kms, key } = await withKey();
  await rotateExhausted(kms, key);
  await rotateExhausted(kms, key);
  expect(await versionsOf(kms, key)).toHaveLength(2);
  const rotated = await kms.keys.resolve(key.id);
  await disableKey(kms, newCall(), key.id);
  await rotateExhausted(kms, rotated);
  expect(await versionsOf(kms, key)).toHaveLength(2);
});
