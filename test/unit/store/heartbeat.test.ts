import type { Store } from '../../../src/store/store';
import { newDirectory, open } from './fixture';

async function opened(dataDir?: string): Promise<Store> {
  const store = await open(dataDir);
  await store.identity.read();
  return store;
}

describe('the heartbeat of a store', () => {
  it('begins at 0 and stays where it was', async () => {
    const dataDir = newDirectory();
    const store = await opened(dataDir);
    expect(await store.heartbeat.read()).toBe(0);
    await expect(store.heartbeat.advance(0, 15_000)).resolves.toBe(true);
    expect(await (await opened(dataDir)).heartbeat.read()).toBe(15_000);
  });

  it('advances only from where it is', async () => {
    const store = await opened();
    await store.heartbeat.advance(0, 15_000);
    await expect(store.heartbeat.advance(0, 30_000)).resolves.toBe(false);
    await expect(store.heartbeat.advance(14_999, 30_000)).resolves.toBe(false);
    expect(await store.heartbeat.read()).toBe(15_000);
  });

  it('is advanced by one of several services that saw the same', async () => {
    const dataDir = newDirectory();
    const stores = [await opened(dataDir), await opened(dataDir), await opened(dataDir)];
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
