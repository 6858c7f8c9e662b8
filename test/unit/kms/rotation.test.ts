import { KmsError } from '../../../src/errors';
import { decrypt, encrypt } from '../../../src/kms/data';
import type { Key } from '../../../src/kms/key';
import { cancelKeyDeletion, scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { removeUnfinished } from '../../../src/kms/key-versions';
import { createKey, disableKey, enableKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import {
  disableKeyRotation,
  enableKeyRotation,
  listKeyRotations,
  rotateDueKeys,
  rotateExhausted,
  rotateKeyOnDemand,
} from '../../../src/kms/rotation';
import { codeOf, context, type Domain, kmsErrorOf, newCall, openDomain } from './fixture';

const DAY = 86_400_000;
const MINUTE = 60_000;
const unavailable = () => new KmsError('KEY_UNAVAILABLE', 'The token is not available.');

async function withKey(): Promise<Domain & { readonly key: Key }> {
  const domain = await openDomain();
  return { ...domain, key: await createKey(domain.kms, newCall(), { description: '' }) };
}

const setNext = async (kms: Kms, key: Key, nextAt: number, days = 90) => {
  await kms.store.keys.setRotation(key.id, { days, nextAt });
  kms.keys.forget();
};

const onDemand = (kms: Kms, key: Key) => rotateKeyOnDemand(kms, newCall(), key.id);
const encryptUnder = (kms: Kms, key: Key) =>
  encrypt(kms, newCall(), {
    keyId: key.id,
    plaintext: Buffer.from('data'),
    authenticated: context(),
    dryRun: false,
  });
const decryptAll = async (kms: Kms, ciphertexts: readonly Buffer[]) => {
  for (const ciphertext of ciphertexts) {
    const opened = await decrypt(kms, newCall(), { ciphertext, authenticated: context(), dryRun: false });
    expect(opened.plaintext.toString()).toBe('data');
  }
};

/** The numbers and causes of the versions of a key, as the store has them. */
const versionsOf = async (kms: Kms, key: Key) => {
  const row = await kms.store.keys.find(key.id);
  expect(row?.current_version).toBe(row?.versions.at(-1)?.number);
  return row?.versions.map(({ number, rotation }) => [number, rotation]);
};

async function rotateDue(kms: Kms): Promise<string[]> {
  const rotated: string[] = [];
  await rotateDueKeys(kms, (id) => rotated.push(id));
  return rotated;
}

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
      [2, 'automatic'],
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
    expect(await removeUnfinished(kms)).toBe(1);
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
    const rotated: string[] = [];
    await expect(rotateDueKeys(kms, (id) => rotated.push(id))).rejects.toThrow('stuck');
    expect(rotated.sort()).toEqual([keys[0]?.id, keys[2]?.id].sort());
  });

  it('through a crash leaves the key as it was', async () => {
    const domain = await withKey();
    const { kms, key, token } = domain;
    jest.spyOn(kms.store.versions, 'finish').mockRejectedValue(new Error('killed'));
    await expect(onDemand(kms, key)).rejects.toThrow('killed');
    expect(token.objects.size).toBe(4);
    const after = await openDomain({ sharing: domain });
    expect(await removeUnfinished(after.kms)).toBe(1);
    const { encryptObject, wrapObject } = key.current;
    expect([...after.token.objects.keys()].sort()).toEqual([encryptObject, wrapObject].sort());
    await onDemand(after.kms, key);
    await decryptAll(after.kms, [(await encryptUnder(after.kms, key)).ciphertext]);
  });
});

describe('rotation on demand', () => {
  it('does not change the schedule', async () => {
    const { kms, key } = await withKey();
    const nextAt = Date.now() + DAY;
    await setNext(kms, key, nextAt);
    await onDemand(kms, key);
    expect((await kms.keys.resolve(key.id)).rotation?.nextAt.getTime()).toBe(nextAt);
  });

  it('is there 25 times in the life of a key; other rotations do not count', async () => {
    const { kms, key } = await withKey();
    for (let count = 0; count < 24; count++) await onDemand(kms, key);
    await setNext(kms, key, 1);
    await rotateDue(kms);
    await disableKeyRotation(kms, newCall(), key.id);
    await rotateExhausted(kms, newCall(), await kms.keys.resolve(key.id));
    await onDemand(kms, key);
    expect(await codeOf(onDemand(kms, key))).toBe('LIMIT_EXCEEDED');
    expect(await versionsOf(kms, key)).toHaveLength(28);
    await setNext(kms, key, 1);
    expect(await rotateDue(kms)).toEqual([key.id]);
  });

  it('does not go beyond its limit where many ask at the same time', async () => {
    const { kms, key } = await withKey();
    for (let count = 0; count < 23; count++) await onDemand(kms, key);
    const asked = Array.from({ length: 5 }, () => codeOf(onDemand(kms, key)).catch(() => 'rotated'));
    const outcomes = (await Promise.all(asked)).sort();
    expect(outcomes).toEqual([...Array(3).fill('LIMIT_EXCEEDED'), 'rotated', 'rotated']);
    expect(await versionsOf(kms, key)).toHaveLength(26);
  });

  it.each([
    ['is due', -1, 'CONFLICT'],
    ['comes in less than 20 minutes', 20 * MINUTE - 5_000, 'CONFLICT'],
    ['comes in more than 20 minutes', 20 * MINUTE + 5_000, 'rotated'],
  ])('where an automatic rotation %s: %i ms away: %s', async (_when, away, outcome) => {
    const { kms, key } = await withKey();
    await setNext(kms, key, Date.now() + away);
    expect(await codeOf(onDemand(kms, key)).catch(() => 'rotated')).toBe(outcome);
  });

  it('is for enabled keys', async () => {
    const { kms, key } = await withKey();
    await disableKey(kms, newCall(), key.id);
    expect(await codeOf(onDemand(kms, key))).toBe('DISABLED');
    await scheduleKeyDeletion(kms, newCall(), { keyId: key.id, windowInDays: 7 });
    expect(await codeOf(onDemand(kms, key))).toBe('INVALID_STATE');
  });

  it('of a key that another instance disables meanwhile is refused, and makes nothing', async () => {
    const domain = await withKey();
    const { kms, key, token } = domain;
    await kms.keys.resolve(key.id);
    await kms.store.keys.setState(key.id, 'disabled');
    expect((await kms.keys.resolve(key.id)).state).toBe('enabled');
    expect(await codeOf(onDemand(kms, key))).toBe('DISABLED');
    expect(token.objects.size).toBe(2);
  });
});

describe('listKeyRotations', () => {
  async function withRotations() {
    const domain = await withKey();
    const { kms, key } = domain;
    await onDemand(kms, key);
    await setNext(kms, key, 1);
    await rotateDue(kms);
    await rotateExhausted(kms, newCall(), await kms.keys.resolve(key.id));
    return domain;
  }

  const list = (kms: Kms, key: Key, options: { all?: boolean; limit?: number; marker?: string } = {}) =>
    listKeyRotations(kms, newCall(), { keyId: key.id, all: false, limit: 100, ...options });

  it('lists what rotations made, oldest first; all material where that is asked for', async () => {
    const { kms, key } = await withRotations();
    const rotations = await list(kms, key);
    expect(rotations.items.map(({ number, rotation }) => [number, rotation?.cause])).toEqual([
      [2, 'on_demand'],
      [3, 'automatic'],
      [4, 'exhausted'],
    ]);
    expect(rotations).not.toHaveProperty('nextMarker');
    const all = await list(kms, key, { all: true });
    expect(all.items.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(new Set(all.items.map(({ materialId }) => materialId)).size).toBe(4);
  });

  it.each([
    [1, false, [[2], [3], [4]]],
    [2, false, [[2, 3], [4]]],
    [3, false, [[2, 3, 4]]],
    [
      2,
      true,
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [3, true, [[1, 2, 3], [4]]],
  ])('comes in pages of %i, all: %s: %j', async (limit, all, expected) => {
    const { kms, key } = await withRotations();
    const pages: number[][] = [];
    for (let marker: string | undefined = '0'; marker !== undefined; ) {
      const page: Awaited<ReturnType<typeof list>> = await list(kms, key, { limit, all, marker });
      pages.push(page.items.map(({ number }) => number));
      marker = page.nextMarker;
    }
    expect(pages).toEqual(expected);
  });

  it('refuses a marker that it never gave, before it looks for the key', async () => {
    const { kms, key } = await withKey();
    for (const marker of ['', 'x', '-1', '1.5', '12345678901', key.id]) {
      expect(await codeOf(list(kms, key, { marker }))).toBe('INVALID_MARKER');
    }
  });

  it('is empty for a key that was never rotated', async () => {
    const { kms, key } = await withKey();
    expect((await list(kms, key)).items).toEqual([]);
  });
});

it('an exhausted version is rotated once, whoever says so, and only while the key is enabled', async () => {
  const { kms, key } = await withKey();
  await rotateExhausted(kms, newCall(), key);
  await rotateExhausted(kms, newCall(), key);
  expect(await versionsOf(kms, key)).toHaveLength(2);
  const rotated = await kms.keys.resolve(key.id);
  await disableKey(kms, newCall(), key.id);
  await rotateExhausted(kms, newCall(), rotated);
  expect(await versionsOf(kms, key)).toHaveLength(2);
});

it('what refuses a rotation says so in the words of the key', async () => {
  const { kms, key } = await withKey();
  await setNext(kms, key, Date.now());
  const { message } = await kmsErrorOf(onDemand(kms, key));
  expect(message).toBe(`${key.arn} is about to be rotated automatically.`);
});
