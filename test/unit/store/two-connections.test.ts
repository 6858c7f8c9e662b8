import { addKey, engines, idOf, newKey, remove } from './fixture';

describe.each(engines)('two connections to one store on $name', ({ name, open, newAddress }) => {
  async function twice() {
    const address = await newAddress();
    return [await open(address), await open(address)] as const;
  }

  /** SQLite blocks the process, and with it the connection that it waits for: there one comes after the other. */
  async function atOnce<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
    if (name === 'PostgreSQL') return Promise.all(tasks.map((task) => task()));
    const results: T[] = [];
    for (const task of tasks) results.push(await task());
    return results;
  }

  it('see what the other has written', async () => {
    const [one, other] = await twice();
    const id = await addKey(one, 1);
    await other.aliases.create('alias/app', id);
    expect(await other.keys.find(id)).toMatchObject({ state: 'enabled' });
    expect(await one.aliases.find('alias/app')).toMatchObject({ key_id: id });
    await other.keys.setState(id, 'disabled');
    expect(await one.keys.find(id)).toMatchObject({ state: 'disabled' });
  });

  it('give a name that both want to one of them', async () => {
    const [one, other] = await twice();
    const ids = [await addKey(one, 1), await addKey(other, 2)];
    const made = await atOnce([
      () => one.aliases.create('alias/app', ids[0] ?? ''),
      () => other.aliases.create('alias/app', ids[1] ?? ''),
    ]);
    expect([...made].sort()).toEqual(['done', 'taken']);
    const winner = ids[made.indexOf('done')];
    expect(await one.aliases.find('alias/app')).toMatchObject({ key_id: winner });
  });

  it('give a key no more aliases than it may have', async () => {
    const [one, other] = await twice();
    const [full, spare] = [await addKey(one, 1), await addKey(one, 2)];
    for (let count = 0; count < 30; count++) await one.aliases.create(`alias/spare/${count}`, spare);
    const outcomes = await atOnce(
      Array.from({ length: 60 }, (_, count) => () => {
        const { aliases } = count % 2 ? one : other;
        if (count % 3 === 0) return aliases.update(`alias/spare/${count / 3}`, { from: spare, to: full });
        return aliases.create(`alias/${count}`, full);
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(50);
    expect(await one.aliases.list(100, undefined, full)).toHaveLength(50);
  });

  it('do not see a key that the other is making', async () => {
    const [one, other] = await twice();
    await one.versions.beginKey(newKey(1));
    expect(await other.keys.find(idOf(1))).toBeUndefined();
    expect(await other.versions.unfinished()).toHaveLength(1);
    await one.versions.finish({ keyId: idOf(1), number: 1 });
    expect(await other.keys.find(idOf(1))).toBeDefined();
    expect(await other.versions.unfinished()).toEqual([]);
  });

  it('do not hand out a key that the other has cleaned up', async () => {
    const [one, other] = await twice();
    await one.versions.beginKey(newKey(1));
    for (const version of await other.versions.unfinished()) await remove(other, version);
    await expect(one.versions.finish({ keyId: idOf(1), number: 1 })).resolves.toBe(false);
    expect(await other.keys.find(idOf(1))).toBeUndefined();
  });
});
