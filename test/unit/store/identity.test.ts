import { openStore } from '../../../src/store/store';
import { engines } from './fixture';

describe.each(engines)('the identity of a store on $name', ({ open, newAddress, database }) => {
  it('is made at the first look and stays', async () => {
    const address = await newAddress();
    const store = await openStore(address);
    const identity = await store.identity.read();
    expect(identity.id).toMatch(/^[0-9a-f]{12}$/);
    expect(identity.serviceKey).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), mayCreate: true });
    expect(await store.identity.read()).toEqual(identity);
    await store.close();
    expect(await (await open(address)).identity.read()).toEqual(identity);
  });

  it('differs from store to store', async () => {
    const [one, other] = [await (await open()).identity.read(), await (await open()).identity.read()];
    expect(one.id).not.toBe(other.id);
    expect(one.serviceKey.id).not.toBe(other.serviceKey.id);
  });

  it('lets the service key be made until it was seen on the token, and never again', async () => {
    const address = await newAddress();
    const store = await openStore(address);
    const { id, serviceKey } = await store.identity.read();
    await store.identity.confirmServiceKey();
    const confirmed = { id, serviceKey: { ...serviceKey, mayCreate: false } };
    expect(await store.identity.read()).toEqual(confirmed);
    await store.identity.confirmServiceKey();
    await store.close();
    expect(await (await open(address)).identity.read()).toEqual(confirmed);
  });

  it('is one row, whoever asks first', async () => {
    const address = await newAddress();
    const stores = [await open(address), await open(address)];
    const [one, other] = await Promise.all(stores.map((store) => store.identity.read()));
    expect(one).toEqual(other);
    const rows = await database(address).selectFrom('store').select('id').execute();
    expect(rows).toEqual([{ id: one?.id }]);
  });
});
