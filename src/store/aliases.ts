import type { Kysely, Selectable } from 'kysely';
import type { AliasesTable, Database } from './schema';

export type AliasRow = Selectable<AliasesTable>;

export interface AliasRepository {
  /** Whether the alias was made: false where the name is taken. */
  create(name: string, keyId: string): Promise<boolean>;
  /** Whether there was one. */
  remove(name: string): Promise<boolean>;
  find(name: string): Promise<AliasRow | undefined>;
  /** Up to `limit` aliases in the order of their names, after `after`, of one key where one is named. */
  list(limit: number, after?: string, keyId?: string): Promise<AliasRow[]>;
}

export function aliasRepository(db: Kysely<Database>): AliasRepository {
  return {
    async create(name, keyId) {
      const now = Date.now();
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('aliases')
        .values({ name, key_id: keyId, created_at: now, updated_at: now })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },

    async remove(name) {
      const { numDeletedRows } = await db.deleteFrom('aliases').where('name', '=', name).executeTakeFirst();
      return numDeletedRows === 1n;
    },

    find: (name) => db.selectFrom('aliases').selectAll().where('name', '=', name).executeTakeFirst(),

    list(limit, after = '', keyId) {
      const page = db
        .selectFrom('aliases')
        .selectAll()
        .where('name', '>', after)
        .orderBy('name')
        .limit(limit);
      return (keyId === undefined ? page : page.where('key_id', '=', keyId)).execute();
    },
  };
}
