import type { Kysely, Transaction } from 'kysely';
import { withLockedKey } from './key-lock';
import type { Database } from './schema';

/** A word on a key, and what it says. */
export interface TagRow {
  readonly name: string;
  readonly value: string;
}

export interface TagRepository {
  /**
   * Adds tags to a key, each in the place of one of the same name. All or none: false where the key would have more
   * than `limit` afterwards. The names differ.
   */
  set(keyId: string, tags: readonly TagRow[], limit: number): Promise<boolean>;
  /** Those that the key does not have are no error. */
  remove(keyId: string, names: readonly string[]): Promise<void>;
  /** Up to `limit` tags in the order of their names, after `after`. */
  list(keyId: string, limit: number, after?: string): Promise<TagRow[]>;
}

export function tagRepository(db: Kysely<Database>): TagRepository {
  return {
    set: (keyId, tags, limit) =>
      withLockedKey(db, keyId, async (tx) => {
        const rows = await tx.selectFrom('key_tags').select('name').where('key_id', '=', keyId).execute();
        const names = new Set([...rows, ...tags].map(({ name }) => name));
        if (names.size > limit) return false;
        await putTags(tx, keyId, tags);
        return true;
      }),

    async remove(keyId, names) {
      if (names.length === 0) return;
      await db.deleteFrom('key_tags').where('key_id', '=', keyId).where('name', 'in', names).execute();
    },

    list: (keyId, limit, after = '') =>
      db
        .selectFrom('key_tags')
        .select(['name', 'value'])
        .where('key_id', '=', keyId)
        .where('name', '>', after)
        .orderBy('name')
        .limit(limit)
        .execute(),
  };
}

/** Writes tags into a transaction, each in the place of one of the same name. The names differ. */
export async function putTags(
  tx: Transaction<Database>,
  keyId: string,
  tags: readonly TagRow[],
): Promise<void> {
  if (tags.length === 0) return;
  await tx
    .insertInto('key_tags')
    .values(tags.map(({ name, value }) => ({ key_id: keyId, name, value })))
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'name']).doUpdateSet(({ ref }) => ({ value: ref('excluded.value') })),
    )
    .execute();
}
