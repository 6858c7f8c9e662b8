import type { Kysely, Transaction } from 'kysely';
import { withLockedKey } from './key-lock';
import { CHANGEABLE } from './keys';
import type { Database } from './schema';

/** A word on a key, and what it says. */
export interface TagRow {
  readonly name: string;
  readonly value: string;
}

export interface TagRepository {
  /**
   * Adds tags to a key, each in the place of one of the same name, or none of them: where the key would have more
   * than `limit` afterwards, or is in a state that forbids it. The names differ.
   */
  set(keyId: string, tags: readonly TagRow[], limit: number): Promise<'done' | 'too-many' | 'forbidden'>;
  /** Those that the key does not have are no error. */
  remove(keyId: string, names: readonly string[]): Promise<void>;
  /** Up to `limit` tags in the order of their names, after `after`. */
  list(keyId: string, limit: number, after?: string): Promise<TagRow[]>;
}

export function tagRepository(db: Kysely<Database>): TagRepository {
  return {
    async set(keyId, tags, limit) {
      const outcome = await withLockedKey(db, keyId, CHANGEABLE, async (tx) => {
        const rows = await tx.selectFrom('key_tags').select('name').where('key_id', '=', keyId).execute();
        const names = new Set([...rows, ...tags].map(({ name }) => name));
        if (names.size > limit) return 'too-many';
        await putTags(tx, keyId, tags);
        return 'done';
      });
      return outcome ?? 'forbidden';
    },

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

async function putTags(tx: Transaction<Database>, keyId: string, tags: readonly TagRow[]): Promise<void> {
  if (tags.length === 0) return;
  await tx
    .insertInto('key_tags')
    .values(tags.map(({ name, value }) => ({ key_id: keyId, name, value })))
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'name']).doUpdateSet(({ ref }) => ({ value: ref('excluded.value') })),
    )
    .execute();
}
