import { addKey, engines, idOf, newKey, remove } from './fixture';

const tag = (name: string, value = `${name} value`) => ({ name, value });
const numbered = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, index) => tag(`${prefix}${index}`));

describe.each(engines)('tags on $name', ({ open }) => {
  it('are set on a key, in the place of those of the same name', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    await expect(store.tags.set(id, [tag('a'), tag('b')], 50)).resolves.toBe('done');
    await expect(store.tags.set(id, [tag('b', 'other'), tag('c', '')], 50)).resolves.toBe('done');
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
    await expect(store.tags.set(id, numbered(4), 3)).resolves.toBe('too-many');
    expect(await store.tags.list(id, 10)).toEqual([]);
    await expect(store.tags.set(id, numbered(2), 3)).resolves.toBe('done');
    await expect(store.tags.set(id, numbered(2, 'x'), 3)).resolves.toBe('too-many');
    // Others in the place of what is there are not more.
    await expect(store.tags.set(id, [tag('t0', 'new'), tag('x')], 3)).resolves.toBe('done');
    expect(await store.tags.list(id, 10)).toEqual([tag('t0', 'new'), tag('t1'), tag('x')]);
  });

  it('never become too many, whoever sets them at once', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const tries = Array.from({ length: 20 }, (_, index) => store.tags.set(id, [tag(`t${index}`)], 7));
    expect((await Promise.all(tries)).filter((outcome) => outcome === 'done')).toHaveLength(7);
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
    const store = await open();
    await store.versions.beginKey({ ...newKey(1), tags: new Map([['a', 'a value']]) });
    await store.versions.beginKey({ ...newKey(2), tags: new Map([['b', 'b value']]) });
    await store.versions.finish({ keyId: idOf(1), number: 1 });
    await remove(store, { keyId: idOf(2), number: 1 });
    expect(await store.tags.list(idOf(1), 10)).toEqual([tag('a')]);
    expect(await store.tags.list(idOf(2), 10)).toEqual([]);
  });

  it('are not set on a key that is pending deletion, is in the making, or is none', async () => {
    const store = await open();
    await store.identity.read();
    const id = await addKey(store, 1);
    await store.tags.set(id, [tag('a')], 50);
    await store.deletions.schedule(id, { windowDays: 7, windowMs: 0, at: 0 });
    await store.versions.beginKey(newKey(2));
    for (const key of [id, idOf(2), idOf(3)]) {
      await expect(store.tags.set(key, [tag('b')], 50)).resolves.toBe('forbidden');
      expect(await store.tags.list(key, 10)).toEqual(key === id ? [tag('a')] : []);
    }
  });

  it('go when the key is destroyed', async () => {
    const store = await open();
    await store.identity.read();
    const id = await addKey(store, 1);
    await store.tags.set(id, [tag('a')], 50);
    await store.deletions.schedule(id, { windowDays: 7, windowMs: 0, at: 0 });
    await store.deletions.begin(id, 1, 0);
    await store.deletions.bury(id);
    expect(await store.tags.list(id, 10)).toEqual([]);
    await expect(store.tags.set(id, [tag('b')], 50)).resolves.toBe('forbidden');
  });
});
