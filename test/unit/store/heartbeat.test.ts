import type { Store, StoreAddress } from '../../../src/store/store';
import { engines } from './fixture';

describe.each(engines)('the heartbeat on $name', ({ open, newAddress }) => {
  async function opened(address?: StoreAddress): Promise<Store> {
    const store = await open(address);
    await store.identity.read();
    return store;
  }

  describe('the heartbeat of a store', () => {
    it('begins at 0 and stays where it was', async () => {
      const address = await newAddress();
      const store = await opened(address);
      expect(await store.heartbeat.read()).toBe(0);
      await expect(store.heartbeat.advance(0, 15_000)).resolves.toBe(true);
      expect(await (await opened(address)).heartbeat.read()).toBe(15_000);
    });

    it('advances only from where it is', async () => {
      const store = await opened();
      await store.heartbeat.advance(0, 15_000);
      await expect(store.heartbeat.advance(0, 30_000)).resolves.toBe(false);
      await expect(store.heartbeat.advance(14_999, 30_000)).resolves.toBe(false);
      expect(await store.heartbeat.read()).toBe(15_000);
    });

    it('is advanced by one of several services that saw the same', async () => {
      const address = await newAddress();
      const stores = [await opened(address), await opened(address), await opened(address)];
      const advanced = await Promise.all(
        stores.map(({ heartbeat }, index) => heartbeat.advance(0, 10 + index)),
      );
      expect(advanced.filter(Boolean)).toHaveLength(1);
      expect(await stores[0]?.heartbeat.read()).toBe(10 + advanced.indexOf(true));
    });

    it('has room for centuries', async () => {
      const store = await opened();
      await store.heartbeat.advance(0, 1e13);
      expect(await store.heartbeat.read()).toBe(1e13);
    });
  });
});
