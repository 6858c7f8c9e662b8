import type { Kysely, Selectable } from 'kysely';
import type { Database, KeysTable, KeyVersionsTable } from './schema';

export interface KeyRow extends Selectable<KeysTable> {
  /** Active ones only, oldest first. */
  readonly versions: readonly Selectable<KeyVersionsTable>[];
}

export interface NewKey {
  readonly id: string;
  readonly description: string;
  readonly encryptObject: string;
  readonly wrapObject: string;
}

/** A version whose making was not finished, and what it may have left on the token. */
export interface UnfinishedVersion {
  readonly keyId: string;
  readonly number: number;
  readonly objects: readonly string[];
}

export interface KeyRepository {
  /** Records a key and its first version before anything is made on the token. */
  begin(key: NewKey): Promise<void>;
  /** The first version's objects are on the token: the key exists from now on. Rejects where it was not begun. */
  finish(id: string): Promise<void>;
  /** Versions in the making, begun at least so many milliseconds ago. */
  unfinished(olderThanMs?: number): Promise<UnfinishedVersion[]>;
  /** Forgets a version that was never finished, and its key where it was the first. */
  abandon(version: UnfinishedVersion): Promise<void>;
  find(id: string): Promise<KeyRow | undefined>;
  /** Up to `limit` keys in the order of their ids, after `after`. */
  list(limit: number, after?: string): Promise<KeyRow[]>;
  setState(id: string, state: 'enabled' | 'disabled'): Promise<void>;
  setDescription(id: string, description: string): Promise<void>;
  /** Every object on the token that a row knows, by CKA_ID. */
  objects(): Promise<Set<string>>;
}

export function keyRepository(db: Kysely<Database>): KeyRepository {
  const existing = db.selectFrom('keys').selectAll().where('state', '<>', 'creating');

  const withVersions = async (rows: readonly Selectable<KeysTable>[]): Promise<KeyRow[]> => {
    if (rows.length === 0) return [];
    const versions = await db
      .selectFrom('key_versions')
      .selectAll()
      .where(
        'key_id',
        'in',
        rows.map(({ id }) => id),
      )
      .where('state', '=', 'active')
      .orderBy('number')
      .execute();
    return rows.map((row) => ({ ...row, versions: versions.filter(({ key_id }) => key_id === row.id) }));
  };

  return {
    begin: (key) => begin(db, key),
    finish: (id) => finish(db, id),

    async unfinished(olderThanMs = 0) {
      const rows = await db
        .selectFrom('key_versions')
        .selectAll()
        .where('state', '=', 'creating')
        .where('created_at', '<=', Date.now() - olderThanMs)
        .execute();
      return rows.map(({ key_id, number, encrypt_object, wrap_object }) => ({
        keyId: key_id,
        number,
        objects: [encrypt_object, wrap_object],
      }));
    },

    abandon: (version) => abandon(db, version),

    async find(id) {
      const [key] = await withVersions(await existing.where('id', '=', id).execute());
      return key;
    },

    async list(limit, after = '') {
      return withVersions(await existing.where('id', '>', after).orderBy('id').limit(limit).execute());
    },

    async setState(id, state) {
      await db
        .updateTable('keys')
        .set({ state })
        .where('id', '=', id)
        .where('state', '<>', 'creating')
        .execute();
    },

    setDescription: (id, description) => setDescription(db, id, description),

    async objects() {
      const rows = await db.selectFrom('key_versions').select(['encrypt_object', 'wrap_object']).execute();
      return new Set(rows.flatMap((row) => [row.encrypt_object, row.wrap_object]));
    },
  };
}

async function begin(db: Kysely<Database>, key: NewKey): Promise<void> {
  const created_at = Date.now();
  await db.transaction().execute(async (tx) => {
    await tx
      .insertInto('keys')
      .values({ id: key.id, state: 'creating', description: key.description, current_version: 1, created_at })
      .execute();
    await tx
      .insertInto('key_versions')
      .values({
        key_id: key.id,
        number: 1,
        state: 'creating',
        encrypt_object: key.encryptObject,
        wrap_object: key.wrapObject,
        created_at,
      })
      .execute();
  });
}

async function finish(db: Kysely<Database>, id: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('key_versions')
      .set({ state: 'active' })
      .where('key_id', '=', id)
      .where('number', '=', 1)
      .where('state', '=', 'creating')
      .executeTakeFirst();
    // Somebody cleaned up meanwhile: nobody may be told of a key whose objects are gone.
    if (numUpdatedRows !== 1n) throw new Error(`key ${id} is not in the making`);
    await tx.updateTable('keys').set({ state: 'enabled' }).where('id', '=', id).execute();
  });
}

async function abandon(db: Kysely<Database>, { keyId, number }: UnfinishedVersion): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .deleteFrom('key_versions')
      .where('key_id', '=', keyId)
      .where('number', '=', number)
      .where('state', '=', 'creating')
      .execute();
    await tx.deleteFrom('keys').where('id', '=', keyId).where('state', '=', 'creating').execute();
  });
}

async function setDescription(db: Kysely<Database>, id: string, description: string): Promise<void> {
  await db
    .updateTable('keys')
    .set({ description })
    .where('id', '=', id)
    .where('state', 'in', ['enabled', 'disabled'])
    .execute();
}
