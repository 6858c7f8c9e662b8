import type { Store, StoreAddress } from '../../../src/store/store';
import { addKey, engines, idOf, newKey } from './fixture';

describe.each(engines)('deletions on $name', ({ open, newAddress, database }) => {
  const WINDOW = { windowDays: 7, windowMs: 1_000, at: 5_000 };

  /** A store with key 1, and services have seen 100 ms pass on it. */
  async function withKey(address?: StoreAddress): Promise<Store> {
    const store = await open(address);
    await store.identity.read();
    await store.heartbeat.advance(0, 100);
    await addKey(store, 1);
    return store;
  }

  const stateOf = async (store: Store, number = 1) => (await store.keys.find(idOf(number)))?.state;

  describe('a scheduled deletion', () => {
    it('makes the key pending deletion, and says until when by both clocks', async () => {
      const store = await withKey();
      await expect(store.deletions.schedule(idOf(1), WINDOW)).resolves.toBe(true);
      expect(await store.keys.find(idOf(1))).toMatchObject({
        state: 'pending_deletion',
        deletion_window_days: 7,
        deletion_at: 5_000,
        deletion_heartbeat: 1_100,
      });
    });

    it('is for enabled and disabled keys', async () => {
      const store = await withKey();
      await addKey(store, 2);
      await store.keys.setState(idOf(2), 'disabled');
      await store.versions.beginKey(newKey(3));
      const schedule = (number: number) => store.deletions.schedule(idOf(number), WINDOW);
      expect(await Promise.all([1, 2, 3, 4].map(schedule))).toEqual([true, true, false, false]);
      // Nor is a window that runs made a longer one.
      await expect(store.deletions.schedule(idOf(1), { ...WINDOW, at: 9_000 })).resolves.toBe(false);
      expect(await store.keys.find(idOf(1))).toMatchObject({ deletion_at: 5_000 });
    });

    it('keeps the key from every change', async () => {
      const store = await withKey();
      await store.deletions.schedule(idOf(1), WINDOW);
      await expect(store.keys.setState(idOf(1), 'enabled')).resolves.toBe(false);
      await expect(store.keys.setState(idOf(1), 'disabled')).resolves.toBe(false);
      await expect(store.keys.setDescription(idOf(1), 'changed')).resolves.toBe(false);
      await expect(store.keys.setRotation(idOf(1), { days: 90, nextAt: 1 })).resolves.toBe(false);
      expect(await store.keys.find(idOf(1))).toMatchObject({ description: 'key 1', next_rotation_at: null });
    });

    it('can be cancelled, which leaves the key disabled', async () => {
      const store = await withKey();
      await expect(store.deletions.cancel(idOf(1))).resolves.toBe(false);
      await store.deletions.schedule(idOf(1), WINDOW);
      await expect(store.deletions.cancel(idOf(1))).resolves.toBe(true);
      expect(await store.keys.find(idOf(1))).toMatchObject({
        state: 'disabled',
        deletion_window_days: null,
        deletion_at: null,
        deletion_heartbeat: null,
      });
      await expect(store.deletions.cancel(idOf(1))).resolves.toBe(false);
      expect(await store.deletions.due(1e15)).toEqual([]);
    });

    it.each([
      ['neither clock has come to it', 4_999, 1_099, false],
      ['only the wall clock has', 5_000, 1_099, false],
      ['the wall clock has by ten years', 5_000 + 3.2e11, 1_099, false],
      ['only the heartbeats have', 4_999, 1_100, false],
      ['both have', 5_000, 1_100, true],
    ])('where %s: due at %i with %i ms seen: %s', async (_when, now, heartbeat, due) => {
      const store = await withKey();
      await store.deletions.schedule(idOf(1), WINDOW);
      await store.heartbeat.advance(100, heartbeat);
      expect(await store.deletions.due(now)).toEqual(due ? [idOf(1)] : []);
      await expect(store.deletions.begin(idOf(1), now, 0)).resolves.toBe(due);
      expect(await stateOf(store)).toBe(due ? 'deleting' : 'pending_deletion');
    });
  });

  /** Key 1 is due, key 2 is another. */
  async function withDueKey(address?: StoreAddress): Promise<Store> {
    const store = await withKey(address);
    await addKey(store, 2);
    await store.deletions.schedule(idOf(1), WINDOW);
    await store.heartbeat.advance(100, 1_100);
    return store;
  }

  describe('the destruction of a key', () => {
    it('is begun once, from when it counts, and cannot be cancelled', async () => {
      const store = await withDueKey();
      await expect(store.deletions.begin(idOf(1), 6_000, 50)).resolves.toBe(true);
      await expect(store.deletions.begin(idOf(1), 6_001, 0)).resolves.toBe(false);
      await expect(store.deletions.cancel(idOf(1))).resolves.toBe(false);
      await expect(store.deletions.schedule(idOf(1), WINDOW)).resolves.toBe(false);
      expect(await store.deletions.due(1e15)).toEqual([]);
      await store.heartbeat.advance(1_100, 1_149);
      expect(await store.deletions.begun()).toEqual([]);
      await store.heartbeat.advance(1_149, 1_150);
      expect(await store.deletions.begun()).toEqual([idOf(1)]);
    });

    it('is begun only for a key that is due', async () => {
      const store = await withDueKey();
      await expect(store.deletions.begin(idOf(2), 1e15, 0)).resolves.toBe(false);
      await expect(store.deletions.begin(idOf(3), 1e15, 0)).resolves.toBe(false);
      expect(await stateOf(store, 2)).toBe('enabled');
    });

    it('or its cancellation: of many at the same time exactly one comes through', async () => {
      const address = await newAddress();
      const [one, other] = [await withDueKey(address), await open(address)];
      const attempts = Array.from({ length: 8 }, (_, index) => {
        const { deletions } = index % 4 < 2 ? one : other;
        return index % 2 ? deletions.cancel(idOf(1)) : deletions.begin(idOf(1), 6_000, 0);
      });
      const won = (await Promise.all(attempts)).flatMap((winner, index) => (winner ? [index] : []));
      expect(won).toHaveLength(1);
      expect(await stateOf(one)).toBe(Number(won[0]) % 2 ? 'disabled' : 'deleting');
    });

    it('names the objects of all versions of that key, finished or not, and of no other', async () => {
      const store = await withKey();
      await addKey(store, 2);
      const number = await store.versions.beginNext(idOf(1), { encryptObject: 'e-2', wrapObject: 'w-2' });
      await store.versions.finish({ keyId: idOf(1), number }, { from: 1, cause: 'on_demand', at: 1 });
      await store.versions.beginNext(idOf(1), { encryptObject: 'e-3', wrapObject: 'w-3' });
      expect(await store.deletions.objects(idOf(1))).toEqual([]);
      await store.deletions.schedule(idOf(1), { ...WINDOW, windowMs: 0 });
      expect(await store.deletions.objects(idOf(1))).toEqual([]);
      await store.deletions.begin(idOf(1), 5_000, 0);
      const { encryptObject, wrapObject } = newKey(1);
      expect(await store.deletions.objects(idOf(1))).toEqual([
        [encryptObject, wrapObject],
        ['e-2', 'w-2'],
        ['e-3', 'w-3'],
      ]);
      expect(await store.deletions.objects(idOf(2))).toEqual([]);
    });

    it('shows the key until it is buried', async () => {
      const store = await withDueKey();
      await store.deletions.begin(idOf(1), 6_000, 0);
      expect(await stateOf(store)).toBe('deleting');
      expect((await store.keys.list(10)).map(({ id }) => id)).toEqual([idOf(1), idOf(2)]);
      await expect(store.deletions.bury(idOf(1))).resolves.toBe(true);
      expect(await stateOf(store)).toBeUndefined();
      expect((await store.keys.list(10)).map(({ id }) => id)).toEqual([idOf(2)]);
    });
  });

  describe('a listing that meets a burial', () => {
    it('leaves the key out and is whole', async () => {
      const address = await newAddress();
      const store = await withDueKey(address);
      await store.deletions.begin(idOf(1), 6_000, 0);
      const listing = store.keys.list(10);
      const [keys] = await Promise.all([listing, store.deletions.bury(idOf(1))]);
      for (const { versions } of keys) expect(versions).not.toEqual([]);
      expect(keys.map(({ id }) => id)).toContain(idOf(2));
    });
  });

  describe('a tombstone', () => {
    const NEW = { windowDays: 7, windowMs: 0, at: 0 };

    async function withTombstone(address: StoreAddress): Promise<Store> {
      const store = await withDueKey(address);
      for (const number of [1, 2]) {
        await store.aliases.create(`alias/${number}`, idOf(number));
        await store.usage.record([
          { key_id: idOf(number), operation: 'Encrypt', request_id: 'r', used_at: number },
        ]);
        const grant = {
          id: String(number),
          key_id: idOf(number),
          name: null,
          grantee_principal: 'p',
          retiring_principal: null,
          operations: '[]',
          constraints: null,
        };
        await store.grants.create(grant, 10);
        await store.tags.set(idOf(number), [{ name: 'team', value: 'blue' }], 10);
      }
      await store.deletions.begin(idOf(1), 6_000, 0);
      await store.deletions.bury(idOf(1));
      return store;
    }

    it('has nothing of the key but its id; other keys lose nothing', async () => {
      const address = await newAddress();
      await withTombstone(address);
      for (const table of ['aliases', 'grants', 'key_tags', 'key_usage', 'key_versions'] as const) {
        const keys = await database(address).selectFrom(table).select('key_id').execute();
        expect([table, keys]).toEqual([table, [{ key_id: idOf(2) }]]);
      }
      const columns = ['state', 'description', 'policy', 'rotation_period_days', 'next_rotation_at'] as const;
      const row = await database(address)
        .selectFrom('keys')
        .select(columns)
        .where('id', '=', idOf(1))
        .execute();
      expect(row).toEqual([
        {
          state: 'deleted',
          description: '',
          policy: null,
          rotation_period_days: null,
          next_rotation_at: null,
        },
      ]);
    });

    it("keeps its id from being used again, and is in nobody's way otherwise", async () => {
      const store = await withTombstone(await newAddress());
      for (const objects of [newKey(1), newKey(3)]) {
        const made = store.versions.beginKey({ ...objects, id: idOf(1) });
        await expect(
          made.then(
            () => 'made',
            () => 'refused',
          ),
        ).resolves.toBe('refused');
      }
      expect(await store.versions.objects()).toEqual(
        new Set([newKey(2).encryptObject, newKey(2).wrapObject]),
      );
      await expect(store.aliases.create('alias/1', idOf(2))).resolves.toBe('done');
    });

    it('cannot be changed, scheduled, cancelled, begun, buried or used', async () => {
      const store = await withTombstone(await newAddress());
      const id = idOf(1);
      expect(
        await Promise.all([
          store.keys.setState(id, 'enabled'),
          store.keys.setDescription(id, 'back'),
          store.keys.setRotation(id, { days: 90, nextAt: 1 }),
          store.deletions.schedule(id, NEW),
          store.deletions.cancel(id),
          store.deletions.begin(id, 1e15, 0),
          store.deletions.bury(id),
        ]),
      ).toEqual(Array(7).fill(false));
      expect(await store.deletions.begun()).toEqual([]);
      await store.usage.record([{ key_id: id, operation: 'Encrypt', request_id: 'r', used_at: 9 }]);
      expect(await store.usage.find(id)).toBeUndefined();
    });

    it('is made of a key that is being destroyed only', async () => {
      const store = await withKey();
      await expect(store.deletions.bury(idOf(1))).resolves.toBe(false);
      await store.deletions.schedule(idOf(1), NEW);
      await expect(store.deletions.bury(idOf(1))).resolves.toBe(false);
      expect(await store.keys.find(idOf(1))).toMatchObject({ versions: [{ number: 1 }] });
    });
  });
});
