import { randomBytes } from 'node:crypto';
import { openStore } from '../../../src/store/store';
import { engines } from './fixture';

const hash = () => randomBytes(32).toString('hex');

describe.each(engines)('audit chains on $name', ({ open, newAddress, database }) => {
  it('are known by their heads, in the order of their ids', async () => {
    const store = await open();
    const [one, two] = [hash(), hash()];
    await store.audit.put('20260102T000000Z-b', 0, one);
    await store.audit.put('20260101T000000Z-a', 7, two);
    expect(await store.audit.list()).toEqual([
      { chain: '20260101T000000Z-a', sequence: 7, hash: two },
      { chain: '20260102T000000Z-b', sequence: 0, hash: one },
    ]);
  });

  it('have heads that go forward only', async () => {
    const store = await open();
    const [one, two] = [hash(), hash()];
    await store.audit.put('chain', 0, hash());
    await store.audit.put('chain', 5, one);
    await store.audit.put('chain', 4, two);
    expect(await store.audit.list()).toEqual([{ chain: 'chain', sequence: 5, hash: one }]);
  });

  it('keep their heads when the store is closed', async () => {
    const address = await newAddress();
    const store = await openStore(address);
    const head = hash();
    await store.audit.put('chain', 3, head);
    await store.close();
    expect(await (await open(address)).audit.list()).toEqual([{ chain: 'chain', sequence: 3, hash: head }]);
  });

  it('get their heads while another connection is in a transaction that soon ends', async () => {
    const address = await newAddress();
    const store = await open(address);
    await store.audit.put('chain', 0, hash());
    await store.identity.read();
    let inside: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      inside = resolve;
    });
    const transaction = database(address)
      .transaction()
      .execute(async (db) => {
        await db.updateTable('store').set({ heartbeat_ms: 1 }).execute();
        inside();
        await new Promise((resolve) => setTimeout(resolve, 10));
      });
    await begun;
    await store.audit.put('chain', 1, hash());
    await transaction;
    expect(await store.audit.list()).toEqual([expect.objectContaining({ sequence: 1 })]);
  });

  it('have a key whose id stays, and whose public half is known once it was seen', async () => {
    const address = await newAddress();
    const [store, other] = [await open(address), await open(address)];
    await store.identity.read();
    expect(await store.audit.publicKey()).toBeUndefined();
    const [key, same] = await Promise.all([store.audit.key(), other.audit.key()]);
    expect(key).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(same).toEqual(key);
    const publicKey = randomBytes(91);
    await store.audit.confirmKey(publicKey);
    expect(await other.audit.key()).toEqual({ ...key, publicKey });
    expect(await other.audit.publicKey()).toEqual(publicKey);
  });
});

it('a store in SQLite refuses a head, in time, while somebody holds the lock for good', async () => {
  const [sqlite] = engines;
  const address = await sqlite?.newAddress();
  const store = await sqlite?.open(address);
  if (!sqlite || !address || !store) throw new Error('no SQLite');
  const db = sqlite.database(address);
  let finish: () => void = () => undefined;
  let inside: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    inside = resolve;
  });
  const end = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await store.identity.read();
  const transaction = db.transaction().execute(async (within) => {
    await within.updateTable('store').set({ heartbeat_ms: 1 }).execute();
    inside();
    await end;
  });
  await begun;
  await expect(store.audit.put('chain', 1, hash())).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
  finish();
  await transaction;
  await store.audit.put('chain', 1, hash());
  expect(await store.audit.list()).toHaveLength(1);
});
