import { addKey, engines, idOf, newKey, remove } from './fixture';

describe.each(engines)('two connections to one store on $name', ({ open, newAddress }) => {
  async function twice() {
    const address = await newAddress();
    return [await open(address), await open(address)] as const;
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
    const made = await Promise.all([
      one.aliases.create('alias/app', ids[0] ?? ''),
      other.aliases.create('alias/app', ids[1] ?? ''),
    ]);
    expect([...made].sort()).toEqual([false, true]);
    const winner = ids[made.indexOf(true)];
    expect(await one.aliases.find('alias/app')).toMatchObject({ key_id: winner });
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
