import type { Store } from '../../../src/store/store';
import { addKey, engines, idOf, newKey, remove } from './fixture';

describe.each(engines)('key versions on $name', ({ open, newAddress, database, codes }) => {
  /** The objects of a later version of key 1. */
  const objects = (number: number) => ({ encryptObject: `e-${number}`, wrapObject: `w-${number}` });

  describe('a key in the making', () => {
    it('is known as unfinished, with its objects, and as nothing else', async () => {
      const store = await open();
      const key = newKey(1);
      await store.versions.beginKey(key);
      expect(await store.versions.unfinished()).toEqual([
        { keyId: key.id, number: 1, objects: [key.encryptObject, key.wrapObject] },
      ]);
      expect(await store.keys.find(key.id)).toBeUndefined();
      expect(await store.keys.list(10)).toEqual([]);
      // doctor must not take its objects for unknown ones.
      expect(await store.versions.objects()).toEqual(new Set([key.encryptObject, key.wrapObject]));
    });

    it('cannot be enabled or disabled', async () => {
      const store = await open();
      await store.versions.beginKey(newKey(1));
      await store.keys.setState(idOf(1), 'enabled');
      await store.keys.setState(idOf(1), 'disabled');
      expect(await store.keys.find(idOf(1))).toBeUndefined();
      expect(await store.versions.unfinished()).toHaveLength(1);
    });

    it('is an enabled key with one version as soon as it is finished', async () => {
      const store = await open();
      const key = newKey(1);
      const before = Date.now();
      await store.versions.beginKey(key);
      await store.versions.finish({ keyId: key.id, number: 1 });
      const row = await store.keys.find(key.id);
      const created_at = row?.created_at ?? 0;
      expect(created_at).toBeGreaterThanOrEqual(before);
      expect(row).toEqual({
        id: key.id,
        state: 'enabled',
        description: 'key 1',
        last_version: 1,
        current_version: 1,
        created_at,
        policy: null,
        deletion_window_days: null,
        deletion_at: null,
        deletion_heartbeat: null,
        rotation_period_days: null,
        next_rotation_at: null,
        versions: [
          {
            key_id: key.id,
            number: 1,
            state: 'active',
            encrypt_object: key.encryptObject,
            wrap_object: key.wrapObject,
            created_at,
            rotation: null,
            rotated_at: null,
            gcm_calls: 0,
          },
        ],
      });
      expect(await store.versions.unfinished()).toEqual([]);
    });

    it('is gone when it is abandoned, and can be begun again', async () => {
      const store = await open();
      await store.versions.beginKey(newKey(1));
      for (const version of await store.versions.unfinished()) await remove(store, version);
      expect(await store.versions.unfinished()).toEqual([]);
      expect(await store.versions.objects()).toEqual(new Set());
      await addKey(store, 1);
    });

    it('is not begun by halves: a version that is taken leaves no key behind', async () => {
      const address = await newAddress();
      const store = await open(address);
      const taken = newKey(1);
      await store.versions.beginKey(taken);
      for (const objects of [{ encryptObject: taken.encryptObject }, { wrapObject: taken.wrapObject }]) {
        await expect(store.versions.beginKey({ ...newKey(2), ...objects })).rejects.toMatchObject({
          code: codes.unique,
        });
      }
      await expect(store.versions.beginKey({ ...newKey(2), id: taken.id })).rejects.toMatchObject({
        code: codes.primaryKey,
      });
      const rows = await database(address).selectFrom('keys').select('id').execute();
      expect(rows).toEqual([{ id: taken.id }]);
      await store.ping();
    });

    it('can be finished once, and only if it was begun', async () => {
      const store = await open();
      await expect(store.versions.finish({ keyId: idOf(1), number: 1 })).resolves.toBe(false);
      await addKey(store, 1);
      await store.keys.setState(idOf(1), 'disabled');
      await expect(store.versions.finish({ keyId: idOf(1), number: 1 })).resolves.toBe(false);
      expect(await store.keys.find(idOf(1))).toMatchObject({ state: 'disabled' });
    });
  });

  describe('the versions of a key', () => {
    it('is not taken for removal', async () => {
      const store = await open();
      const id = await addKey(store, 1);
      expect(await store.versions.claimRemoval({ keyId: id, number: 1 })).toBe(false);
      await store.versions.forget({ keyId: id, number: 1 });
      expect(await store.keys.find(id)).toMatchObject({ state: 'enabled', versions: [{ number: 1 }] });
    });

    it('shows its active versions, oldest first, while a new one is in the making', async () => {
      const store = await open();
      const id = await addKey(store, 1);
      const second = await store.versions.beginNext(id, { encryptObject: 'e-2', wrapObject: 'w-2' });
      await store.versions.finish({ keyId: id, number: second }, { from: 1, cause: 'automatic', at: 1 });
      await store.versions.beginNext(id, { encryptObject: 'e-3', wrapObject: 'w-3' });
      const numbers = async () => (await store.keys.find(id))?.versions.map(({ number }) => number);
      expect(await numbers()).toEqual([1, 2]);
      for (const version of await store.versions.unfinished()) await remove(store, version);
      expect(await numbers()).toEqual([1, 2]);
      expect(await store.versions.unfinished()).toEqual([]);
    });

    it('are known with all their objects, finished or not', async () => {
      const store = await open();
      const id = await addKey(store, 1);
      await store.versions.beginNext(id, objects(2));
      const { encryptObject, wrapObject } = newKey(1);
      expect(await store.versions.objects()).toEqual(new Set([encryptObject, wrapObject, 'e-2', 'w-2']));
    });
  });

  describe('a rotation', () => {
    const DAY = 86_400_000;

    /** A key whose automatic rotation is due. */
    async function withDueKey() {
      const store = await open();
      const keyId = await addKey(store, 1);
      await store.keys.setRotation(keyId, { days: 90, nextAt: 1_000 });
      return {
        store,
        keyId,
        rotation: { from: 1, cause: 'automatic', at: 2_000, nextAt: 2_000 + 90 * DAY } as const,
      };
    }

    it('makes the new version the current one, says why and when, and is due again a period later', async () => {
      const { store, keyId, rotation } = await withDueKey();
      expect(await store.keys.dueForRotation(999)).toEqual([]);
      expect(await store.keys.dueForRotation(1_000)).toEqual([keyId]);
      const number = await store.versions.beginNext(keyId, objects(2));
      expect(number).toBe(2);
      expect(await store.keys.find(keyId)).toMatchObject({ current_version: 1, versions: [{ number: 1 }] });
      await expect(store.versions.finish({ keyId, number }, rotation)).resolves.toBe(true);
      expect(await store.keys.find(keyId)).toMatchObject({
        state: 'enabled',
        current_version: 2,
        rotation_period_days: 90,
        next_rotation_at: rotation.nextAt,
        versions: [
          { number: 1, rotation: null, rotated_at: null },
          { number: 2, rotation: 'automatic', rotated_at: 2_000 },
        ],
      });
      expect(await store.keys.dueForRotation(rotation.nextAt - 1)).toEqual([]);
    });

    it('that was not automatic leaves the schedule alone', async () => {
      const { store, keyId } = await withDueKey();
      const number = await store.versions.beginNext(keyId, objects(2));
      await store.versions.finish({ keyId, number }, { from: 1, cause: 'on_demand', at: 2_000 });
      expect(await store.keys.find(keyId)).toMatchObject({ current_version: 2, next_rotation_at: 1_000 });
    });

    it.each([
      ['turned off', undefined],
      ['changed', { days: 365, nextAt: 365 * DAY }],
    ])('leaves alone a schedule that was %s while it ran', async (_how, schedule) => {
      const { store, keyId, rotation } = await withDueKey();
      const number = await store.versions.beginNext(keyId, objects(2));
      await store.keys.setRotation(keyId, schedule);
      await expect(store.versions.finish({ keyId, number }, rotation)).resolves.toBe(true);
      expect(await store.keys.find(keyId)).toMatchObject({
        current_version: 2,
        rotation_period_days: schedule?.days ?? null,
        next_rotation_at: schedule?.nextAt ?? null,
      });
    });

    it('that was begun is finished also where the key was disabled or scheduled for deletion meanwhile', async () => {
      const { store, keyId, rotation } = await withDueKey();
      await store.identity.read();
      const second = await store.versions.beginNext(keyId, objects(2));
      await store.keys.setState(keyId, 'disabled');
      await expect(store.versions.finish({ keyId, number: second }, rotation)).resolves.toBe(true);
      const third = await store.versions.beginNext(keyId, objects(3));
      await store.deletions.schedule(keyId, { windowDays: 7, windowMs: 7, at: 7 });
      await expect(store.versions.finish({ keyId, number: third }, { ...rotation, from: 2 })).resolves.toBe(
        true,
      );
      expect(await store.keys.find(keyId)).toMatchObject({ state: 'pending_deletion', current_version: 3 });
    });

    it('of a key that is being destroyed is not finished, and its version stays known', async () => {
      const { store, keyId, rotation } = await withDueKey();
      await store.identity.read();
      const number = await store.versions.beginNext(keyId, objects(2));
      await store.deletions.schedule(keyId, { windowDays: 7, windowMs: 0, at: 0 });
      await expect(store.deletions.begin(keyId, 1, 0)).resolves.toBe(true);
      await expect(store.versions.finish({ keyId, number }, rotation)).resolves.toBe(false);
      expect(await store.keys.find(keyId)).toMatchObject({ current_version: 1, versions: [{ number: 1 }] });
      expect(await store.deletions.objects(keyId)).toContainEqual(['e-2', 'w-2']);
    });

    it('that comes late, when another one has been finished, is not finished', async () => {
      const { store, keyId, rotation } = await withDueKey();
      const late = await store.versions.beginNext(keyId, objects(2));
      const number = await store.versions.beginNext(keyId, objects(3));
      await expect(store.versions.finish({ keyId, number }, rotation)).resolves.toBe(true);
      await expect(store.versions.finish({ keyId, number: late }, rotation)).resolves.toBe(false);
      expect(await store.keys.find(keyId)).toMatchObject({ current_version: 3 });
      expect(await store.versions.unfinished()).toMatchObject([{ number: late }]);
    });

    it('never takes a number again, also of a version that was forgotten', async () => {
      const { store, keyId } = await withDueKey();
      const number = await store.versions.beginNext(keyId, objects(2));
      await remove(store, { keyId, number });
      expect(await store.versions.beginNext(keyId, objects(3))).toBe(number + 1);
    });

    it('takes the next number while one before it is unfinished, and numbers only grow', async () => {
      const { store, keyId, rotation } = await withDueKey();
      await store.versions.beginNext(keyId, objects(2));
      const third = await store.versions.beginNext(keyId, objects(3));
      expect(third).toBe(3);
      await store.versions.finish({ keyId, number: third }, rotation);
      await remove(store, { keyId, number: 2 });
      expect(await store.versions.beginNext(keyId, objects(4))).toBe(4);
      expect(await store.keys.find(keyId)).toMatchObject({
        current_version: 3,
        versions: [{ number: 1 }, { number: 3 }],
      });
    });

    it('is due for enabled keys only, and again once a key is enabled', async () => {
      const { store, keyId } = await withDueKey();
      await store.keys.setState(keyId, 'disabled');
      expect(await store.keys.dueForRotation(5_000)).toEqual([]);
      await store.keys.setState(keyId, 'enabled');
      expect(await store.keys.dueForRotation(5_000)).toEqual([keyId]);
      await expect(store.keys.setRotation(keyId, undefined)).resolves.toBe(true);
      expect(await store.keys.dueForRotation(5_000)).toEqual([]);
    });
  });

  describe('removing what was not finished', () => {
    it('leaves alone what is younger than asked', async () => {
      const store = await open();
      await store.versions.beginKey(newKey(1));
      expect(await store.versions.unfinished(60_000)).toEqual([]);
      expect(await store.versions.unfinished(0)).toHaveLength(1);
    });

    it('cannot be undone: what was taken for removal is not finished', async () => {
      const store = await open();
      const keyId = await addKey(store, 1);
      const number = await store.versions.beginNext(keyId, objects(2));
      await expect(store.versions.claimRemoval({ keyId, number })).resolves.toBe(true);
      await expect(
        store.versions.finish({ keyId, number }, { from: 1, cause: 'automatic', at: 1 }),
      ).resolves.toBe(false);
      // Whoever was cut short between the two finds it again.
      expect(await store.versions.unfinished()).toMatchObject([{ keyId, number }]);
      await expect(store.versions.claimRemoval({ keyId, number })).resolves.toBe(true);
      await store.versions.forget({ keyId, number });
      expect(await store.versions.unfinished()).toEqual([]);
      expect(await store.keys.find(keyId)).toMatchObject({ state: 'enabled', current_version: 1 });
    });

    it('takes the tags of a key that never was with it', async () => {
      const store = await open();
      await store.versions.beginKey({ ...newKey(1), tags: new Map([['team', 'blue']]) });
      await remove(store, { keyId: idOf(1), number: 1 });
      await addKey(store, 1);
    });
  });

  describe('the AES-GCM calls of a version', () => {
    const reserve = (store: Store, count: number, bound: number, number = 1) =>
      store.versions.reserveCalls({ keyId: idOf(1), number }, count, bound);

    it('are reserved up to the bound, and not one more', async () => {
      const store = await open();
      await addKey(store, 1);
      expect(await reserve(store, 4, 10)).toBe(4);
      expect(await reserve(store, 4, 10)).toBe(4);
      expect(await reserve(store, 4, 10)).toBe(2);
      expect(await reserve(store, 4, 10)).toBe(0);
      expect(await store.keys.find(idOf(1))).toMatchObject({ versions: [{ gcm_calls: 10 }] });
    });

    it('are counted for each version by itself, also above 2^31', async () => {
      const store = await open();
      const keyId = await addKey(store, 1);
      const number = await store.versions.beginNext(keyId, objects(2));
      await store.versions.finish({ keyId, number }, { from: 1, cause: 'exhausted', at: 1 });
      expect(await reserve(store, 2 ** 32, 2 ** 32)).toBe(2 ** 32);
      expect(await reserve(store, 1, 2 ** 32)).toBe(0);
      expect(await reserve(store, 1, 2 ** 32, 2)).toBe(1);
      expect(await store.keys.find(keyId)).toMatchObject({
        versions: [{ gcm_calls: 2 ** 32 }, { gcm_calls: 1 }],
      });
    });

    it('are none where the bound was lowered below what is reserved', async () => {
      const store = await open();
      await addKey(store, 1);
      await reserve(store, 100, 100);
      expect(await reserve(store, 1, 50)).toBe(0);
      expect(await store.keys.find(idOf(1))).toMatchObject({ versions: [{ gcm_calls: 100 }] });
    });

    it('are reserved once where several connections ask at the same time', async () => {
      const address = await newAddress();
      const stores = [await open(address), await open(address), await open(address)];
      await addKey(await open(address), 1);
      const asked = Array.from({ length: 30 }, (_, index) => reserve(stores[index % 3] as Store, 7, 100));
      const blocks = await Promise.all(asked);
      expect(blocks.reduce((sum, block) => sum + block)).toBe(100);
      expect(blocks.filter((block) => block !== 0 && block !== 7)).toEqual([2]);
    });

    it('of a version that there is not cannot be reserved', async () => {
      const store = await open();
      await expect(reserve(store, 1, 10)).rejects.toThrow();
    });
  });
});
