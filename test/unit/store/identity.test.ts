import { openStore } from '../../../src/store/store';
import { newDirectory, open, withDatabase } from './fixture';

describe('the identity of a store', () => {
  it('is made at the first look and stays', async () => {
    const dataDir = newDirectory();
    const store = await openStore(dataDir);
    const identity = await store.identity.read();
    expect(identity.id).toMatch(/^[0-9a-f]{12}$/);
    expect(identity.serviceKey).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), mayCreate: true });
    expect(await store.identity.read()).toEqual(identity);
    await store.close();
    expect(await (await open(dataDir)).identity.read()).toEqual(identity);
  });

  it('differs from store to store', async () => {
    const [one, other] = [await (await open()).identity.read(), await (await open()).identity.read()];
    expect(one.id).not.toBe(other.id);
    expect(one.serviceKey.id).not.toBe(other.serviceKey.id);
  });

  it('lets the service key be made until it was seen on the token, and never again', async () => {
    const dataDir = newDirectory();
    const store = await openStore(dataDir);
    const { id, serviceKey } = await store.identity.read();
    await store.identity.confirmServiceKey();
    const confirmed = { id, serviceKey: { ...serviceKey, mayCreate: false } };
    expect(await store.identity.read()).toEqual(confirmed);
    await store.identity.confirmServiceKey();
    await store.close();
    expect(await (await open(dataDir)).identity.read()).toEqual(confirmed);
  });

  it('is one row, whoever asks first', async () => {
    const dataDir = newDirectory();
    const stores = [await open(dataDir), await open(dataDir)];
    const [one, other] = await Promise.all(stores.map((store) => store.identity.read()));
    expect(one).toEqual(other);
    const rows = withDatabase(dataDir, (database) => database.prepare('SELECT id FROM store').all());
    expect(rows).toEqual([{ id: one?.id }]);
  });
});
