import type { Key } from '../../../src/kms/key';
import { scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { disableKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import { disableKeyRotation, listKeyRotations, rotateExhausted } from '../../../src/kms/rotation';
import { codeOf, kmsErrorOf, newCall } from './fixture';
import { onDemand, rotateDue, setNext, versionsOf, withKey } from './rotating';

const DAY = 86_400_000;
const MINUTE = 60_000;

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
    await rotateExhausted(kms, await kms.keys.resolve(key.id));
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

it('what refuses a rotation says so in the words of the key', async () => {
  const { kms, key } = await withKey();
  await setNext(kms, key, Date.now());
  const { message } = await kmsErrorOf(onDemand(kms, key));
  expect(message).toBe(`${key.arn} is about to be rotated automatically.`);
});

describe('listKeyRotations', () => {
  async function withRotations() {
    const domain = await withKey();
    const { kms, key } = domain;
    await onDemand(kms, key);
    await setNext(kms, key, 1);
    await rotateDue(kms);
    await rotateExhausted(kms, await kms.keys.resolve(key.id));
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
