import { MAX_ALIASES } from '../../../src/store/aliases';
import { addKey, engines, idOf, newKey } from './fixture';

describe.each(engines)('aliases on $name', ({ open, newAddress, database, codes }) => {
  it('name a key', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const before = Date.now();
    await expect(store.aliases.create('alias/app', id)).resolves.toBe('done');
    const row = await store.aliases.find('alias/app');
    const created_at = row?.created_at ?? 0;
    expect(created_at).toBeGreaterThanOrEqual(before);
    expect(row).toEqual({ name: 'alias/app', key_id: id, created_at, updated_at: created_at });
  });

  it('are unique: the second of a name is not made and changes nothing', async () => {
    const store = await open();
    const first = await addKey(store, 1);
    const second = await addKey(store, 2);
    await store.aliases.create('alias/app', first);
    await expect(store.aliases.create('alias/app', second)).resolves.toBe('taken');
    expect(await store.aliases.find('alias/app')).toMatchObject({ key_id: first });
  });

  it('differ by case', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.aliases.create('alias/app', id)).resolves.toBe('done');
    await expect(store.aliases.create('alias/App', id)).resolves.toBe('done');
    expect(await store.aliases.find('alias/APP')).toBeUndefined();
  });

  it('go when they are removed, once', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await store.aliases.create('alias/app', id);
    await expect(store.aliases.remove('alias/app', idOf(2))).resolves.toBe(false);
    await expect(store.aliases.remove('alias/app', id)).resolves.toBe(true);
    await expect(store.aliases.remove('alias/app', id)).resolves.toBe(false);
    expect(await store.aliases.find('alias/app')).toBeUndefined();
  });

  it('are pointed at another key, and say when', async () => {
    const store = await open();
    const [first, second] = [await addKey(store, 1), await addKey(store, 2)];
    await store.aliases.create('alias/app', first);
    const before = await store.aliases.find('alias/app');
    const now = jest.spyOn(Date, 'now').mockReturnValue((before?.created_at ?? 0) + 5);
    const there = { from: second, to: second };
    await expect(store.aliases.update('alias/app', there)).resolves.toBe('moved');
    const move = { from: first, to: second };
    await expect(store.aliases.update('alias/app', move)).resolves.toBe('done');
    now.mockRestore();
    expect(await store.aliases.find('alias/app')).toEqual({
      ...before,
      key_id: second,
      updated_at: (before?.created_at ?? 0) + 5,
    });
  });

  it('are not made by pointing a name that there is not', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.aliases.update('alias/app', { from: id, to: id })).resolves.toBe('moved');
    expect(await store.aliases.list(10)).toEqual([]);
  });

  it('name no key that there is not, or is in the making', async () => {
    const store = await open();
    await store.aliases.create('alias/app', await addKey(store, 1));
    await store.versions.beginKey(newKey(2));
    for (const id of [idOf(2), idOf(3)]) {
      await expect(store.aliases.create('alias/other', id)).resolves.toBe('key-gone');
      await expect(store.aliases.update('alias/app', { from: idOf(1), to: id })).resolves.toBe('key-gone');
    }
    expect(await store.aliases.list(10)).toMatchObject([{ name: 'alias/app', key_id: idOf(1) }]);
  });

  it('hold the key that they name: its row cannot go', async () => {
    const address = await newAddress();
    const store = await open(address);
    await store.versions.beginKey(newKey(1));
    const alias = { name: 'alias/app', key_id: idOf(1), created_at: 0, updated_at: 0 };
    await database(address).insertInto('aliases').values(alias).execute();
    await store.versions.claimRemoval({ keyId: idOf(1), number: 1 });
    await expect(store.versions.forget({ keyId: idOf(1), number: 1 })).rejects.toMatchObject({
      code: codes.foreignKey,
    });
    expect(await store.versions.unfinished()).toHaveLength(1);
  });

  it('name one key 50 times at most, however they come to it', async () => {
    const store = await open();
    const [full, other] = [await addKey(store, 1), await addKey(store, 2)];
    for (let count = 0; count < MAX_ALIASES; count++) await store.aliases.create(`alias/${count}`, full);
    await store.aliases.create('alias/other', other);
    await expect(store.aliases.create('alias/more', full)).resolves.toBe('key-full');
    const move = { from: other, to: full };
    await expect(store.aliases.update('alias/other', move)).resolves.toBe('key-full');
    // One of the 50 is not another one.
    await expect(store.aliases.update('alias/0', { from: full, to: full })).resolves.toBe('done');
    await store.aliases.remove('alias/0', full);
    await expect(store.aliases.update('alias/other', move)).resolves.toBe('done');
    expect(await store.aliases.list(100, undefined, full)).toHaveLength(MAX_ALIASES);
  });

  it('name one key 50 times at most, also when many are made and moved at once', async () => {
    const store = await open();
    const [full, other] = [await addKey(store, 1), await addKey(store, 2)];
    for (let count = 0; count < 30; count++) await store.aliases.create(`alias/other/${count}`, other);
    const tries = Array.from({ length: 60 }, (_, count) =>
      count % 2
        ? store.aliases.update(`alias/other/${count >> 1}`, { from: other, to: full })
        : store.aliases.create(`alias/${count}`, full),
    );
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(50);
    expect(outcomes.filter((outcome) => outcome === 'key-full')).toHaveLength(10);
    expect(await store.aliases.list(100, undefined, full)).toHaveLength(50);
  });

  it('come in pages, in the order of their UTF-8 bytes, of all keys or of one', async () => {
    const store = await open();
    const ids = [await addKey(store, 1), await addKey(store, 2)];
    const names = ['alias/B', 'alias/_', 'alias/a', 'alias/a/b', 'alias/b'];
    for (const [index, name] of [...names].reverse().entries())
      await store.aliases.create(name, ids[index % 2] ?? '');
    const page = async (limit: number, after?: string, keyId?: string) =>
      (await store.aliases.list(limit, after, keyId)).map(({ name }) => name);
    expect(await page(10)).toEqual(names);
    expect(await page(2)).toEqual(names.slice(0, 2));
    expect(await page(2, names[1])).toEqual(names.slice(2, 4));
    expect(await page(2, names[4])).toEqual([]);
    expect(await page(10, undefined, ids[0])).toEqual(['alias/B', 'alias/a', 'alias/b']);
    expect(await page(1, 'alias/B', ids[0])).toEqual(['alias/a']);
    expect(await page(10, undefined, idOf(3))).toEqual([]);
  });
});
