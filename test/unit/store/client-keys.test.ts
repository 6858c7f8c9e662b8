import type { Store } from '../../../src/store/store';
import { engines } from './fixture';

const key = (id: string, createdAt = 1_000) => ({
  id,
  public_key: `public ${id}`,
  created_at: createdAt,
  expires_at: 4_102_444_800_000,
});

describe.each(engines)('client keys on $name', ({ open, newAddress, name: engine }) => {
  async function withPrincipals(address?: Awaited<ReturnType<typeof newAddress>>): Promise<Store> {
    const store = await open(address);
    await store.principals.createRoot({ id: 'R1', sealed_secret: 'sealed' });
    for (const name of ['App', 'other']) await store.principals.create({ name });
    return store;
  }

  const idsOf = async ({ clientKeys }: Store, principal?: string) =>
    (await clientKeys.list(principal)).map(({ id }) => id);

  it('belong to a principal, with whom they are found', async () => {
    const { clientKeys, principals } = await withPrincipals();
    await principals.attachPolicy('app', 'p', '{}');
    await expect(clientKeys.create('aPP', key('K1'))).resolves.toBe('done');
    expect(await clientKeys.find('K1')).toEqual({
      clientKey: { ...key('K1'), principal: 'App' },
      principal: await principals.find('app'),
    });
    expect(await clientKeys.find('k1')).toBeUndefined();
    expect(await clientKeys.find('')).toBeUndefined();
  });

  it('are listed by principal, oldest first', async () => {
    const store = await withPrincipals();
    for (const [name, id, createdAt] of [
      ['root', 'K1', 1],
      ['other', 'K0', 3],
      ['other', 'K2', 2],
      ['app', 'K3', 5],
      ['app', 'K4', 4],
    ] as const)
      await store.clientKeys.create(name, key(id, createdAt));
    expect(await idsOf(store)).toEqual(['K4', 'K3', 'K2', 'K0', 'K1']);
    expect(await idsOf(store, 'App')).toEqual(['K4', 'K3']);
    expect(await idsOf(store, 'nobody')).toEqual([]);
  });

  it('are made for nobody else', async () => {
    const store = await withPrincipals();
    await expect(store.clientKeys.create('nobody', key('K1'))).resolves.toBe('missing');
    expect(await idsOf(store)).toEqual([]);
  });

  it('are removed once', async () => {
    const store = await withPrincipals();
    for (const id of ['K1', 'K2']) await store.clientKeys.create('app', key(id));
    await expect(store.clientKeys.remove('K1')).resolves.toBe(true);
    await expect(store.clientKeys.remove('K1')).resolves.toBe(false);
    expect(await idsOf(store)).toEqual(['K2']);
  });

  it("go with their principal, and with nobody else's", async () => {
    const store = await withPrincipals();
    await store.clientKeys.create('app', key('K1'));
    await store.clientKeys.create('other', key('K2'));
    await expect(store.principals.remove('APP')).resolves.toBe(true);
    expect(await store.clientKeys.find('K1')).toBeUndefined();
    expect(await idsOf(store)).toEqual(['K2']);
  });

  it('are not made for a principal that goes meanwhile', async () => {
    const address = await newAddress();
    const store = await withPrincipals(address);
    const other = engine === 'PostgreSQL' ? await open(address) : store;
    const [made] = await Promise.all([
      store.clientKeys.create('app', key('K1')),
      other.principals.remove('app'),
    ]);
    expect(['done', 'missing']).toContain(made);
    expect(await store.principals.find('app')).toBeUndefined();
    expect(await idsOf(store)).toEqual([]);
  });
});
