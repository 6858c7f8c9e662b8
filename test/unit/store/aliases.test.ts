import { addKey, engines, idOf, newKey } from './fixture';

describe.each(engines)('aliases on $name', ({ open, codes }) => {
  it('name a key', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const before = Date.now();
    await expect(store.aliases.create('alias/app', id)).resolves.toBe(true);
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
    await expect(store.aliases.create('alias/app', second)).resolves.toBe(false);
    expect(await store.aliases.find('alias/app')).toMatchObject({ key_id: first });
  });

  it('differ by case', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.aliases.create('alias/app', id)).resolves.toBe(true);
    await expect(store.aliases.create('alias/App', id)).resolves.toBe(true);
    expect(await store.aliases.find('alias/APP')).toBeUndefined();
  });

  it('go when they are removed, once', async () => {
    const store = await open();
    await store.aliases.create('alias/app', await addKey(store, 1));
    await expect(store.aliases.remove('alias/app')).resolves.toBe(true);
    await expect(store.aliases.remove('alias/app')).resolves.toBe(false);
    expect(await store.aliases.find('alias/app')).toBeUndefined();
  });

  it('name no key that there is not', async () => {
    const store = await open();
    await expect(store.aliases.create('alias/app', idOf(1))).rejects.toMatchObject({
      code: codes.foreignKey,
    });
  });

  it('hold the key that they name: its row cannot go', async () => {
    const store = await open();
    await store.versions.beginKey(newKey(1));
    await store.aliases.create('alias/app', idOf(1));
    await store.versions.claimRemoval({ keyId: idOf(1), number: 1 });
    await expect(store.versions.forget({ keyId: idOf(1), number: 1 })).rejects.toMatchObject({
      code: codes.foreignKey,
    });
    expect(await store.versions.unfinished()).toHaveLength(1);
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
