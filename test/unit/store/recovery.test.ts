import type { Adjustments } from '../../../src/store/recovery';
import type { Store } from '../../../src/store/store';
import { addKey, engines, idOf, newKey } from './fixture';

const NOW = Date.UTC(2030, 0, 31);
const nothing: Adjustments = {
  now: NOW,
  gcmCalls: { skipped: 0, bound: 1_000 },
  finish: [],
  forget: [],
  deletions: [],
};

describe.each(engines)('a restored store on $name', ({ open }) => {
  const versions = async (store: Store) => (await store.recovery.read()).versions;

  /** A key whose first version has made so many calls. */
  async function addUsedKey(store: Store, number: number, calls: number): Promise<void> {
    const keyId = await addKey(store, number);
    await store.versions.reserveCalls({ keyId, number: 1 }, calls, 10_000);
  }

  it('is read with everything in it, whatever its state', async () => {
    const store = await open();
    await store.identity.read();
    await addKey(store, 2);
    await store.versions.beginKey(newKey(1));
    const { store: row, keys, versions } = await store.recovery.read();
    expect(row).toMatchObject({ heartbeat_ms: 0, service_key_state: 'creating' });
    expect(row.heartbeat_at).toBe(row.created_at);
    expect(keys.map(({ id, state }) => [id, state])).toEqual([
      [idOf(1), 'creating'],
      [idOf(2), 'enabled'],
    ]);
    expect(versions.map(({ state }) => state)).toEqual(['creating', 'active']);
  });

  it('counts calls further, up to the bound and no counter backwards', async () => {
    const store = await open();
    await store.identity.read();
    for (const [number, calls] of [0, 849, 850, 851, 1_000, 1_001].entries())
      await addUsedKey(store, number + 1, calls);
    await store.recovery.adjust({ ...nothing, gcmCalls: { skipped: 150, bound: 1_000 } });
    expect((await versions(store)).map(({ gcm_calls }) => gcm_calls)).toEqual([
      150, 999, 1_000, 1_000, 1_000, 1_001,
    ]);
    await store.recovery.adjust({ ...nothing, gcmCalls: { skipped: 1_000, bound: 1_000 } });
    expect((await versions(store)).map(({ gcm_calls }) => gcm_calls)).toEqual([
      1_000, 1_000, 1_000, 1_000, 1_000, 1_001,
    ]);
  });

  it('begins the windows of deletions again', async () => {
    const store = await open();
    await store.identity.read();
    const keyId = await addKey(store, 1);
    await store.deletions.schedule(keyId, { windowDays: 7, windowMs: 1, at: 1 });
    await store.recovery.adjust({ ...nothing, deletions: [{ keyId, at: NOW + 7, heartbeat: 8 }] });
    expect(await store.keys.find(keyId)).toMatchObject({
      state: 'pending_deletion',
      deletion_at: NOW + 7,
      deletion_heartbeat: 8,
    });
    expect(await store.deletions.due(NOW + 8)).toEqual([]);
  });

  it('keeps the versions in the making that are named so, and forgets the others', async () => {
    const store = await open();
    await store.identity.read();
    for (const number of [1, 2]) await store.versions.beginKey(newKey(number));
    await addKey(store, 3);
    const objects = newKey(4);
    await store.versions.beginNext(idOf(3), objects);
    await store.recovery.adjust({
      ...nothing,
      finish: [
        { version: { keyId: idOf(1), number: 1 } },
        { version: { keyId: idOf(3), number: 2 }, rotation: { from: 1, cause: 'on_demand', at: NOW } },
      ],
      forget: [{ keyId: idOf(2), number: 1 }],
    });
    expect(await store.versions.unfinished()).toEqual([]);
    const { keys } = await store.recovery.read();
    expect(keys.map(({ id, state, current_version }) => [id, state, current_version])).toEqual([
      [idOf(1), 'enabled', 1],
      [idOf(3), 'enabled', 2],
    ]);
    expect((await versions(store)).at(-1)).toMatchObject({ rotation: 'on_demand', rotated_at: NOW });
  });

  it('notes that it is right as of now, and that its service key has been seen', async () => {
    const store = await open();
    await store.identity.read();
    await store.recovery.adjust(nothing);
    expect((await store.recovery.read()).store).toMatchObject({
      heartbeat_at: NOW,
      usage_tracked_since: NOW,
      service_key_state: 'active',
    });
  });

  it('is adjusted in whole or not at all', async () => {
    const store = await open();
    await store.identity.read();
    await store.versions.beginKey(newKey(1));
    await addUsedKey(store, 2, 5);
    const before = await store.recovery.read();
    await expect(
      store.recovery.adjust({
        ...nothing,
        gcmCalls: { skipped: 10, bound: 1_000 },
        // The key is in the making: it cannot be rotated.
        finish: [
          { version: { keyId: idOf(1), number: 1 }, rotation: { from: 1, cause: 'automatic', at: NOW } },
        ],
      }),
    ).rejects.toThrow();
    expect(await store.recovery.read()).toEqual(before);
  });

  it('is not shared while nobody else has it open', async () => {
    const store = await open();
    expect(await store.isShared()).toBe(false);
  });
});

it('on PostgreSQL, the connections of another process are seen', async () => {
  const postgres = engines.find(({ name }) => name === 'PostgreSQL');
  if (!postgres) throw new Error('PostgreSQL is not among the engines');
  const address = await postgres.newAddress();
  const [one, other] = [await postgres.open(address), await postgres.open(address)];
  await other.ping();
  expect(await one.isShared()).toBe(true);
  await other.close();
  expect(await one.isShared()).toBe(false);
});
