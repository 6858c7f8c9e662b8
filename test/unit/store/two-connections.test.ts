import { addKey, idOf, newDirectory, newKey, open } from './fixture';

async function twice() {
  const dataDir = newDirectory();
  return [await open(dataDir), await open(dataDir)] as const;
}

describe('two connections to one store', () => {
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
    const made = [
      await one.aliases.create('alias/app', ids[0] ?? ''),
      await other.aliases.create('alias/app', ids[1] ?? ''),
    ];
    expect([...made].sort()).toEqual(['done', 'taken']);
    const winner = ids[made.indexOf('done')];
    expect(await one.aliases.find('alias/app')).toMatchObject({ key_id: winner });
  });

  it('do not see a key that the other is making', async () => {
    const [one, other] = await twice();
    await one.keys.begin(newKey(1));
    expect(await other.keys.find(idOf(1))).toBeUndefined();
    expect(await other.keys.unfinished()).toHaveLength(1);
    await one.keys.finish(idOf(1));
    expect(await other.keys.find(idOf(1))).toBeDefined();
    expect(await other.keys.unfinished()).toEqual([]);
  });

  it('do not hand out a key that the other has cleaned up', async () => {
    const [one, other] = await twice();
    await one.keys.begin(newKey(1));
    for (const version of await other.keys.unfinished()) await other.keys.abandon(version);
    await expect(one.keys.finish(idOf(1))).rejects.toThrow('is not in the making');
    expect(await other.keys.find(idOf(1))).toBeUndefined();
  });
});
