import type { Kysely, Selectable, Transaction } from 'kysely';
import { withLockedKey } from './key-lock';
import { CHANGEABLE } from './keys';
import type { AliasesTable, Database } from './schema';

export type AliasRow = Selectable<AliasesTable>;

/** How many aliases may name one key: AWS's quota. */
export const MAX_ALIASES = 50;

/** Why an alias does not name a key: the key is pending deletion or gone, or has all the aliases that it may have. */
export type NotNamed = 'key-gone' | 'key-full';

/** Which key an alias names, and which it shall name. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

export interface AliasRepository {
  create(name: string, keyId: string): Promise<'done' | 'taken' | NotNamed>;
  /** Makes an alias name another key. `moved`: it does not name the one that it is to be taken from. */
  update(name: string, keys: Move): Promise<'done' | 'moved' | NotNamed>;
  /** Whether there was one that named this key. */
  remove(name: string, keyId: string): Promise<boolean>;
  find(name: string): Promise<AliasRow | undefined>;
  /** Up to `limit` aliases in the order of their names, after `after`, of one key where one is named. */
  list(limit: number, after?: string, keyId?: string): Promise<AliasRow[]>;
}

export function aliasRepository(db: Kysely<Database>): AliasRepository {
  return {
    async create(name, keyId) {
      const outcome = await withLockedKey(db, keyId, CHANGEABLE, (tx) => create(tx, name, keyId));
      return outcome ?? 'key-gone';
    },

    async update(name, keys) {
      const outcome = await withLockedKey(db, keys.to, CHANGEABLE, (tx) => update(tx, name, keys));
      return outcome ?? 'key-gone';
    },

    async remove(name, keyId) {
      const { numDeletedRows } = await db
        .deleteFrom('aliases')
        .where('name', '=', name)
        .where('key_id', '=', keyId)
        .executeTakeFirst();
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

async function create(
  tx: Transaction<Database>,
  name: string,
  keyId: string,
): Promise<'done' | 'taken' | NotNamed> {
  if ((await countOthers(tx, name, keyId)) >= MAX_ALIASES) return 'key-full';
  const now = Date.now();
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('aliases')
    .values({ name, key_id: keyId, created_at: now, updated_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n ? 'done' : 'taken';
}

async function update(
  tx: Transaction<Database>,
  name: string,
  { from, to }: Move,
): Promise<'done' | 'moved' | NotNamed> {
  if ((await countOthers(tx, name, to)) >= MAX_ALIASES) return 'key-full';
  const { numUpdatedRows } = await tx
    .updateTable('aliases')
    .set({ key_id: to, updated_at: Date.now() })
    .where('name', '=', name)
    .where('key_id', '=', from)
    .executeTakeFirst();
  return numUpdatedRows === 1n ? 'done' : 'moved';
}

/** How many aliases a key has besides this one. */
async function countOthers(tx: Transaction<Database>, name: string, keyId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('aliases')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('key_id', '=', keyId)
    .where('name', '<>', name)
    .executeTakeFirstOrThrow();
  return count;
}
