import { addKey, idOf, newKey, open } from './fixture';

describe('key policies', () => {
  it('are none until one is put, and what was put last from then on', async () => {
    const store = await open();
    const ids = [await addKey(store, 1), await addKey(store, 2)] as const;
    expect(await store.keyPolicies.find(ids[0])).toBeUndefined();
    await store.keyPolicies.put(ids[0], '{"a": 1}');
    await store.keyPolicies.put(ids[0], '{ "ü":\t2 }');
    expect(await store.keyPolicies.find(ids[0])).toBe('{ "ü":\t2 }');
    expect(await store.keyPolicies.find(ids[1])).toBeUndefined();
  });

  it('come with a new key', async () => {
    const store = await open();
    await store.keys.begin({ ...newKey(1), policy: '{}' });
    await store.keys.finish(idOf(1));
    expect(await store.keyPolicies.find(idOf(1))).toBe('{}');
  });

  it('are none of a key that there is not', async () => {
    const store = await open();
    await store.keyPolicies.put(idOf(1), '{}');
    expect(await store.keyPolicies.find(idOf(1))).toBeUndefined();
  });
});
