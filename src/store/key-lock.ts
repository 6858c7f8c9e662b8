import type { Kysely, Transaction } from 'kysely';
import type { Database, KeyState } from './schema';

/**
 * Runs a transaction that no other of the same key runs beside, in whatever process: what it counts stays true until
 * it is done, and so does the key's state.
 *
 * @returns undefined, and does nothing, where the key is in none of these states
 */
export function withLockedKey<T>(
  db: Kysely<Database>,
  keyId: string,
  states: readonly KeyState[],
  work: (tx: Transaction<Database>) => Promise<T>,
): Promise<T | undefined> {
  return db.transaction().execute(async (tx) => {
    // An update that changes nothing holds the row on every engine.
    const { numUpdatedRows } = await tx
      .updateTable('keys')
      .set(({ ref }) => ({ state: ref('state') }))
      .where('id', '=', keyId)
      .where('state', 'in', states)
      .executeTakeFirst();
    return numUpdatedRows === 1n ? work(tx) : undefined;
  });
}
