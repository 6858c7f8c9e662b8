import { addKey, engines, idOf, newKey } from './fixture';

describe.each(engines)('key policies on $name', ({ open }) => {
  it('are none until one is put, and what was put last from then on', async () => {
    const store = await open();
    const ids = [await addKey(store, 1), await addKey(store, 2)] as const;
    expect(await store.keyPolicies.find(ids[0])).toBeUndefined();
    await store.keyPolicies.put(ids[0], '{"a": 1}');
    await expect(store.keyPolicies.put(ids[0], '{ "ü":\t2 }')).resolves.toBe(true);
    expect(await store.keyPolicies.find(ids[0])).toBe('{ "ü":\t2 }');
    expect(await store.keyPolicies.find(ids[1])).toBeUndefined();
  });

  it('come with a new key', async () => {
    const store = await open();
    await store.versions.beginKey({ ...newKey(1), policy: '{}' });
    await store.versions.finish({ keyId: idOf(1), number: 1 });
    expect(await store.keyPolicies.find(idOf(1))).toBe('{}');
  });

  it('can be put until the key is destroyed, not after that, and not on what is no key', async () => {
    const store = await open();
    await store.identity.read();
    const id = await addKey(store, 1);
    await store.versions.beginKey(newKey(2));
    await store.deletions.schedule(id, { windowDays: 7, windowMs: 0, at: 0 });
    await expect(store.keyPolicies.put(id, '1')).resolves.toBe(true);
    await store.deletions.begin(id, 1, 0);
    await expect(store.keyPolicies.put(id, '2')).resolves.toBe(true);
    expect(await store.keyPolicies.find(id)).toBe('2');
    await store.deletions.bury(id);
    for (const key of [id, idOf(2), idOf(3)]) {
      await expect(store.keyPolicies.put(key, '3')).resolves.toBe(false);
      expect(await store.keyPolicies.find(key)).toBeUndefined();
    }
  });
});
