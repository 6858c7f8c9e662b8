import type { Transaction } from 'kysely';
import { CHANGEABLE } from './keys';
import type { Database } from './schema';

/**
 * Holds a key's row until the transaction ends, so that what is counted of the key stays true meanwhile. An update that
 * changes nothing, because SQLite has no `for update`.
 *
 * @returns false where the key is pending deletion, or gone
 */
export async function holdKey(tx: Transaction<Database>, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('keys')
    .set((row) => ({ state: row.ref('state') }))
    .where('id', '=', id)
    .where('state', 'in', CHANGEABLE)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
