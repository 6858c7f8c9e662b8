import type { Store } from '../../../src/store/store';
import { addKey, engines, idOf, newKey } from './fixture';

describe.each(engines)('keys on $name', ({ open, newAddress, database }) => {
  describe('a key', () => {
    it('keeps its state', async () => {
      const address = await newAddress();
      const store = await open(address);
      const id = await addKey(store, 1);
      await addKey(store, 2);
      await store.keys.setState(id, 'disabled');
      const again = await open(address);
      expect(await again.keys.find(id)).toMatchObject({ state: 'disabled' });
      expect(await again.keys.find(idOf(2))).toMatchObject({ state: 'enabled' });
      await store.keys.setState(id, 'enabled');
      expect(await again.keys.find(id)).toMatchObject({ state: 'enabled' });
    });

    it.each(['', 'nobody', '__proto__', "' OR 1 = 1 --"])('is not found under %j', async (id) => {
      const store = await open();
      await addKey(store, 1);
      expect(await store.keys.find(id)).toBeUndefined();
    });
  });

  describe('automatic rotation', () => {
    const DAY = 86_400_000;
    const nextOf = async (store: Store, id: string) => (await store.keys.find(id))?.next_rotation_at;

    it('that is asked for again with the same period is not put off', async () => {
      const store = await open();
      const id = await addKey(store, 1);
      await expect(store.keys.setRotation(id, { days: 90, nextAt: 1_000 })).resolves.toBe(true);
      await expect(store.keys.setRotation(id, { days: 90, nextAt: 2_000 })).resolves.toBe(true);
      expect(await nextOf(store, id)).toBe(1_000);
      await store.keys.setRotation(id, { days: 91, nextAt: 3_000 });
      expect(await nextOf(store, id)).toBe(3_000);
      await store.keys.setRotation(id, undefined);
      await store.keys.setRotation(id, { days: 91, nextAt: 4_000 });
      expect(await nextOf(store, id)).toBe(4_000);
    });

    it('is never further away than its period', async () => {
      const store = await open();
      const [near, far] = [await addKey(store, 1), await addKey(store, 2)];
      await store.keys.setRotation(near, { days: 2_560, nextAt: 1_000 + 2_560 * DAY });
      await store.keys.setRotation(far, { days: 2_560, nextAt: 1_001 + 2_560 * DAY });
      await store.keys.bringBackRotations(1_000);
      for (const id of [near, far]) expect(await nextOf(store, id)).toBe(1_000 + 2_560 * DAY);
      await store.keys.bringBackRotations(0);
      expect(await nextOf(store, near)).toBe(2_560 * DAY);
    });
  });

  describe('the list of keys', () => {
    it('comes in pages, in the order of the ids, each key once and with its own versions', async () => {
      const store = await open();
      for (const number of [4, 1, 5, 3, 2]) await addKey(store, number);
      await store.versions.beginKey(newKey(6));
      const seen: string[] = [];
      for (
        let page = await store.keys.list(2);
        page.length > 0;
        page = await store.keys.list(2, seen.at(-1))
      ) {
        expect(page.length).toBeLessThanOrEqual(2);
        for (const { id, versions } of page) expect(versions.map(({ key_id }) => key_id)).toEqual([id]);
        seen.push(...page.map(({ id }) => id));
      }
      expect(seen).toEqual([1, 2, 3, 4, 5].map(idOf));
    });

    it('goes on behind a key that is not there', async () => {
      const store = await open();
      for (const number of [1, 3]) await addKey(store, number);
      expect((await store.keys.list(10, idOf(2))).map(({ id }) => id)).toEqual([idOf(3)]);
    });

    it('holds as many keys in one page as any protocol asks for', async () => {
      const address = await newAddress();
      const store = await open(address);
      // As one transaction: as a thousand, each on the disk for sure, it takes its time.
      await database(address)
        .transaction()
        .execute(async (tx) => {
          for (let number = 0; number < 1_001; number++) {
            const { id, encryptObject, wrapObject } = newKey(number);
            const key = { id, state: 'enabled', description: '', current_version: 1, created_at: 0 } as const;
            await tx.insertInto('keys').values(key).execute();
            const objects = { encrypt_object: encryptObject, wrap_object: wrapObject };
            const version = { key_id: id, number: 1, state: 'active', created_at: 0, ...objects } as const;
            await tx.insertInto('key_versions').values(version).execute();
          }
        });
      const page = await store.keys.list(1_001);
      expect(page).toHaveLength(1_001);
      expect(page.every(({ versions }) => versions.length === 1)).toBe(true);
    });
  });
});
