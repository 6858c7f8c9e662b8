import { addKey, idOf, newDirectory, newKey, open, withDatabase } from './fixture';

const tag = (name: string, value = `${name} value`) => ({ name, value });
const numbered = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, index) => tag(`${prefix}${index}`));

describe('tags', () => {
  it('are set on a key, in the place of those of the same name', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.tags.set(id, [tag('a'), tag('b')], 50)).resolves.toBe(true);
    await expect(store.tags.set(id, [tag('b', 'other'), tag('c', '')], 50)).resolves.toBe(true);
    expect(await store.tags.list(id, 10)).toEqual([tag('a'), tag('b', 'other'), tag('c', '')]);
  });

  it('of one key are not those of another', async () => {
    const store = await open();
    const ids = [await addKey(store, 1), await addKey(store, 2)] as const;
    await store.tags.set(ids[0], [tag('a', '1')], 1);
    await store.tags.set(ids[1], [tag('a', '2')], 1);
    await store.tags.remove(ids[0], ['a']);
    expect(await store.tags.list(ids[0], 10)).toEqual([]);
    expect(await store.tags.list(ids[1], 10)).toEqual([tag('a', '2')]);
  });

  it('differ by case', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await store.tags.set(id, [tag('a', 'small'), tag('A', 'large')], 50);
    await store.tags.remove(id, ['A', 'unknown']);
    expect(await store.tags.list(id, 10)).toEqual([tag('a', 'small')]);
  });

  it('are set all or none where a key would have too many', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.tags.set(id, numbered(4), 3)).resolves.toBe(false);
    expect(await store.tags.list(id, 10)).toEqual([]);
    await expect(store.tags.set(id, numbered(2), 3)).resolves.toBe(true);
    await expect(store.tags.set(id, numbered(2, 'x'), 3)).resolves.toBe(false);
    // Others in the place of what is there are not more.
    await expect(store.tags.set(id, [tag('t0', 'new'), tag('x')], 3)).resolves.toBe(true);
    expect(await store.tags.list(id, 10)).toEqual([tag('t0', 'new'), tag('t1'), tag('x')]);
  });

  it('never become too many, whoever sets them at once', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const tries = Array.from({ length: 20 }, (_, index) => store.tags.set(id, [tag(`t${index}`)], 7));
    expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(7);
    expect(await store.tags.list(id, 50)).toHaveLength(7);
  });

  it('come in pages, in the order of their UTF-8 bytes', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const names = ['B', 'a', 'a b', 'é', '\uffff', '😀'];
    await store.tags.set(
      id,
      [...names].reverse().map((name) => tag(name)),
      50,
    );
    const page = async (limit: number, after?: string) =>
      (await store.tags.list(id, limit, after)).map(({ name }) => name);
    expect(await page(10)).toEqual(names);
    expect(await page(2)).toEqual(names.slice(0, 2));
    expect(await page(2, 'a')).toEqual(names.slice(2, 4));
    expect(await page(2, '😀')).toEqual([]);
  });

  it('come with a new key, and go with one that is never finished', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    await store.keys.begin({ ...newKey(1), tags: [tag('a')] });
    await store.keys.begin({ ...newKey(2), tags: [tag('b')] });
    await store.keys.finish(idOf(1));
    await store.keys.abandon({ keyId: idOf(2), number: 1, objects: [] });
    expect(await store.tags.list(idOf(1), 10)).toEqual([tag('a')]);
    const rows = withDatabase(dataDir, (database) => database.prepare('SELECT name FROM key_tags').all());
    expect(rows).toEqual([{ name: 'a' }]);
  });
});
