import type { KyselyPlugin } from 'kysely';
import { grantRepository, type NewGrant } from '../../../src/store/grants';
import type { Store } from '../../../src/store/store';
import { addKey, engines, idOf, newDirectory, newKey, open as openStore, withDatabase } from './fixture';

const grantId = (number: number): string => number.toString(16).padStart(64, '0');

const newGrant = (number: number, key_id: string, changes: Partial<NewGrant> = {}): NewGrant => ({
  id: grantId(number),
  key_id,
  name: null,
  grantee_principal: 'alice',
  retiring_principal: null,
  operations: '["Encrypt"]',
  constraints: null,
  ...changes,
});

const idsOf = async (rows: ReturnType<Store['grants']['list']>) => (await rows).map(({ id }) => id);

describe.each(engines)('grants on $name', ({ open, newAddress, database }) => {
  it('are found as they were made', async () => {
    const store = await open();
    const key = await addKey(store, 1);
    const grant = newGrant(1, key, {
      name: 'name',
      retiring_principal: 'bob',
      constraints: '{"equals":{"ключ":"значение"}}',
    });
    const before = Date.now();
    await expect(store.grants.create(grant, 10)).resolves.toMatchObject({ id: grant.id });
    const row = await store.grants.find(grant.id);
    expect(row?.created_at).toBeGreaterThanOrEqual(before);
    expect(row).toEqual({ ...grant, created_at: row?.created_at });
    expect(await store.grants.find(grantId(2))).toBeUndefined();
    expect(await store.grants.existing([grantId(2), grant.id])).toEqual([grant.id]);
  });

  it('without a name are made as often as they are asked for', async () => {
    const store = await open();
    const key = await addKey(store, 1);
    await store.grants.create(newGrant(1, key), 10);
    await expect(store.grants.create(newGrant(2, key), 10)).resolves.toMatchObject({ id: grantId(2) });
  });

  it('with a name that are the same in all else are made once, also where no more fit', async () => {
    const store = await open();
    const key = await addKey(store, 1);
    await store.grants.create(newGrant(1, key, { name: 'one' }), 1);
    await expect(store.grants.create(newGrant(2, key, { name: 'one' }), 1)).resolves.toMatchObject({
      id: grantId(1),
    });
    expect(await idsOf(store.grants.list({ limit: 10 }))).toEqual([grantId(1)]);
  });

  it.each<[string, Partial<NewGrant>]>([
    ['name', { name: 'two' }],
    ['grantee', { grantee_principal: 'eve' }],
    ['retiring principal', { retiring_principal: 'eve' }],
    ['operations', { operations: '["Decrypt"]' }],
    ['constraints', { constraints: '{}' }],
  ])('with a name and another %s are others', async (_what, changes) => {
    const store = await open();
    const key = await addKey(store, 1);
    await store.grants.create(newGrant(1, key, { name: 'one' }), 10);
    const other = newGrant(2, key, { name: 'one', ...changes });
    await expect(store.grants.create(other, 10)).resolves.toMatchObject({ id: grantId(2) });
    await expect(store.grants.create({ ...other, id: grantId(3) }, 10)).resolves.toMatchObject({
      id: grantId(2),
    });
  });

  it('of a name are not all read to find one that is the same', async () => {
    const address = await newAddress();
    const key = await addKey(await open(address), 1);
    let read = 0;
    const counting: KyselyPlugin = {
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        read += result.rows.length;
        return result;
      },
    };
    const grants = grantRepository(database(address).withPlugin(counting));
    for (let number = 1; number <= 20; number += 1) {
      await grants.create(newGrant(number, key, { name: 'one', operations: `["${number}"]` }), 50);
    }
    read = 0;
    const same = newGrant(30, key, { name: 'one', operations: '["15"]' });
    await expect(grants.create(same, 50)).resolves.toEqual({ id: grantId(15) });
    expect(read).toBe(1);
  });

  it('of the same name on another key are others', async () => {
    const store = await open();
    const keys = [await addKey(store, 1), await addKey(store, 2)] as const;
    await store.grants.create(newGrant(1, keys[0], { name: 'one' }), 10);
    await expect(store.grants.create(newGrant(2, keys[1], { name: 'one' }), 10)).resolves.toMatchObject({
      id: grantId(2),
    });
  });

  it('are at most so many a key', async () => {
    const store = await open();
    const keys = [await addKey(store, 1), await addKey(store, 2)] as const;
    await store.grants.create(newGrant(1, keys[0]), 2);
    await store.grants.create(newGrant(2, keys[0]), 2);
    await expect(store.grants.create(newGrant(3, keys[0]), 2)).resolves.toBe('too-many');
    await expect(store.grants.create(newGrant(3, keys[1]), 2)).resolves.toMatchObject({ id: grantId(3) });
    await store.grants.remove(keys[0], grantId(1));
    await expect(store.grants.create(newGrant(4, keys[0]), 2)).resolves.toMatchObject({ id: grantId(4) });
  });

  it('stay within that, and made once by their name, whoever makes them at once', async () => {
    const store = await open();
    const key = await addKey(store, 1);
    const create = async (first: number, changes: Partial<NewGrant> = {}) => {
      const grants = Array.from({ length: 10 }, (_, index) => newGrant(first + index, key, changes));
      const outcomes = await Promise.all(grants.map((grant) => store.grants.create(grant, 4)));
      return new Set(outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : outcome.id)));
    };
    expect((await create(1, { name: 'one' })).size).toBe(1);
    const unnamed = await create(100);
    expect(unnamed).toContain('too-many');
    expect(unnamed.size).toBe(1 + 3);
    expect(await store.grants.list({ limit: 10 })).toHaveLength(4);
  });

  it('are removed from their key, once', async () => {
    const store = await open();
    const keys = [await addKey(store, 1), await addKey(store, 2)] as const;
    await store.grants.create(newGrant(1, keys[0]), 10);
    await expect(store.grants.remove(keys[1], grantId(1))).resolves.toBe(false);
    await expect(store.grants.remove(keys[0], grantId(1))).resolves.toBe(true);
    await expect(store.grants.remove(keys[0], grantId(1))).resolves.toBe(false);
    expect(await store.grants.find(grantId(1))).toBeUndefined();
  });

  it('are listed in pages, by key, id and principals', async () => {
    const store = await open();
    const keys = [await addKey(store, 1), await addKey(store, 2)] as const;
    for (const number of [5, 3, 1, 4, 2]) {
      const key = keys[number % 2] ?? '';
      const changes = {
        grantee_principal: number > 3 ? 'eve' : 'alice',
        retiring_principal: number < 3 ? 'bob' : null,
      };
      await store.grants.create(newGrant(number, key, changes), 10);
    }
    const list = async (filter: Omit<Parameters<Store['grants']['list']>[0], 'limit'>, limit = 10) =>
      (await idsOf(store.grants.list({ ...filter, limit }))).map((id) => Number.parseInt(id, 16));
    expect(await list({})).toEqual([1, 2, 3, 4, 5]);
    expect(await list({}, 2)).toEqual([1, 2]);
    expect(await list({ after: grantId(2) }, 2)).toEqual([3, 4]);
    expect(await list({ keyId: keys[1] })).toEqual([1, 3, 5]);
    expect(await list({ keyId: keys[1], after: grantId(1) })).toEqual([3, 5]);
    expect(await list({ keyId: keys[1], grantId: grantId(3) })).toEqual([3]);
    expect(await list({ keyId: keys[0], grantId: grantId(3) })).toEqual([]);
    expect(await list({ keyId: keys[1], granteePrincipal: 'eve' })).toEqual([5]);
    expect(await list({ retiringPrincipal: 'bob' })).toEqual([1, 2]);
  });

  it('are made on enabled keys only, and go when the key is destroyed', async () => {
    const store = await open();
    await store.identity.read();
    const id = await addKey(store, 1);
    await store.grants.create(newGrant(1, id), 10);
    await store.versions.beginKey(newKey(2));
    const forbidden = (key: string) =>
      expect(store.grants.create(newGrant(2, key), 10)).resolves.toBe('forbidden');
    await store.keys.setState(id, 'disabled');
    for (const key of [id, idOf(2), idOf(3)]) await forbidden(key);
    await store.deletions.schedule(id, { windowDays: 7, windowMs: 0, at: 0 });
    await forbidden(id);
    expect(await idsOf(store.grants.list({ limit: 10 }))).toEqual([grantId(1)]);
    await store.deletions.begin(id, 1, 0);
    await store.deletions.bury(id);
    await forbidden(id);
    expect(await store.grants.list({ limit: 10 })).toEqual([]);
  });
});

it('grants of a key are found by their name without a look at the others', async () => {
  const dataDir = newDirectory();
  await openStore(dataDir);
  const plan = withDatabase(dataDir, (db) =>
    db.prepare("explain query plan select id from grants where key_id = 'k' and name = 'n'").all(),
  );
  expect(plan).toMatchObject([{ detail: expect.stringContaining('(key_id=? AND name=?)') }]);
});
