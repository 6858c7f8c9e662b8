import { setTimeout as sleep } from 'node:timers/promises';
import { addKey, engines } from './fixture';

const postgres = engines.filter(({ name }) => name === 'PostgreSQL');

it.each(postgres)(
  'a deletion that is scheduled anew while another instance begins it is not begun, on $name',
  async ({ open, newAddress, database }) => {
    const address = await newAddress();
    const store = await open(address);
    await store.identity.read();
    const id = await addKey(store, 1);
    await store.deletions.schedule(id, { windowDays: 7, windowMs: 0, at: 1_000 });
    expect(await store.deletions.due(2_000)).toEqual([id]);

    let begun: Promise<boolean> | undefined;
    await database(address)
      .transaction()
      .execute(async (tx) => {
        // What a cancellation and another schedule leave; the statement that begins waits for this row.
        const later = { deletion_at: 1e15, deletion_heartbeat: 1e15 };
        await tx.updateTable('keys').set(later).where('id', '=', id).execute();
        begun = store.deletions.begin(id, 2_000, 0);
        await sleep(300);
      });
    await expect(begun).resolves.toBe(false);
    expect(await store.keys.find(id)).toMatchObject({ state: 'pending_deletion', deletion_at: 1e15 });
  },
);
