import type { Kysely, Transaction } from 'kysely';
import type { Database } from './schema';

/**
 * Runs a transaction that no other of the same key runs beside, in whatever process: what it counts stays true until
 * it is done. An update that changes nothing holds the row on every engine.
 */
export async function withLockedKey<T>(
  db: Kysely<Database>,
  keyId: string,
  work: (tx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await tx
      .updateTable('keys')
      .set(({ ref }) => ({ state: ref('state') }))
      .where('id', '=', keyId)
      .execute();
    return work(tx);
  });
}
