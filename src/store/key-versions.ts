import type { ExpressionBuilder, Kysely, Transaction } from 'kysely';
import type { Database, RotationCause } from './schema';

/** CKA_IDs of a version's objects. */
export interface VersionObjects {
  readonly encryptObject: string;
  readonly wrapObject: string;
}

export interface NewKey extends VersionObjects {
  readonly id: string;
  readonly description: string;
  /** JSON; absent where the default policy shall apply. */
  readonly policy?: string;
  readonly tags?: ReadonlyMap<string, string>;
}

export interface VersionName {
  readonly keyId: string;
  /** 1 for the first. */
  readonly number: number;
}

/** A version whose making was not finished, and what it may have left on the token. */
export interface UnfinishedVersion extends VersionName {
  readonly objects: readonly string[];
}

export interface KeyVersionRepository {
  /** Records a key and its first version before anything is made on the token. */
  beginKey(key: NewKey): Promise<void>;
  /** Records the next version of a key before anything is made on the token, and returns its number. */
  beginNext(keyId: string, objects: VersionObjects): Promise<number>;
  /**
   * The version's objects are on the token: from now on it is the current one, and a key with its first version
   * exists. False where somebody cleaned up meanwhile, or the key is being destroyed.
   */
  finish(version: VersionName, rotation?: FinishedRotation): Promise<boolean>;
  /** Versions that are not finished, begun at least so many milliseconds ago. */
  unfinished(olderThanMs?: number): Promise<UnfinishedVersion[]>;
  /** Takes an unfinished version for removal: false where it has been finished. Nothing can undo it. */
  claimRemoval(version: VersionName): Promise<boolean>;
  /** Whether a version, in whatever state, has one of these objects. */
  knowsAny(objects: readonly string[]): Promise<boolean>;
  /** Forgets a version that was taken for removal, and its key where it was the first. */
  forget(version: VersionName): Promise<void>;
  /**
   * Reserves AES-GCM calls of a version, so that no more than `bound` are ever reserved.
   *
   * @returns how many: `count`, fewer where the bound is near, 0 where it is reached
   */
  reserveCalls(version: VersionName, count: number, bound: number): Promise<number>;
  /** Every object on the token that a row knows, by CKA_ID. */
  objects(): Promise<Set<string>>;
}

export interface FinishedRotation {
  readonly cause: RotationCause;
  readonly at: number;
  /** When the next automatic rotation is due, where this one was automatic. */
  readonly nextAt?: number;
}

export function keyVersionRepository(db: Kysely<Database>): KeyVersionRepository {
  return {
    beginKey: (key) => db.transaction().execute((tx) => beginKey(tx, key)),
    beginNext: (keyId, objects) => db.transaction().execute((tx) => beginNext(tx, keyId, objects)),
    finish: (version, rotation) => db.transaction().execute((tx) => finish(tx, version, rotation)),

    async unfinished(olderThanMs = 0) {
      const rows = await db
        .selectFrom('key_versions')
        .selectAll()
        .where('state', '<>', 'active')
        .where('created_at', '<=', Date.now() - olderThanMs)
        .execute();
      return rows.map(({ key_id, number, encrypt_object, wrap_object }) => ({
        keyId: key_id,
        number,
        objects: [encrypt_object, wrap_object],
      }));
    },

    async claimRemoval({ keyId, number }) {
      const { numUpdatedRows } = await db
        .updateTable('key_versions')
        .set({ state: 'removing' })
        .where('key_id', '=', keyId)
        .where('number', '=', number)
        .where('state', '<>', 'active')
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async knowsAny(objects) {
      const row = await db
        .selectFrom('key_versions')
        .select('number')
        .where((eb) => eb.or([eb('encrypt_object', 'in', objects), eb('wrap_object', 'in', objects)]))
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    forget: (version) => db.transaction().execute((tx) => forget(tx, version)),
    reserveCalls: (version, count, bound) => reserveCalls(db, version, count, bound),

    async objects() {
      const rows = await db.selectFrom('key_versions').select(['encrypt_object', 'wrap_object']).execute();
      return new Set(rows.flatMap((row) => [row.encrypt_object, row.wrap_object]));
    },
  };
}

async function beginKey(tx: Transaction<Database>, key: NewKey): Promise<void> {
  const { id, description, policy, tags = new Map<string, string>() } = key;
  const created_at = Date.now();
  await tx
    .insertInto('keys')
    .values({ id, state: 'creating', description, policy, current_version: 1, created_at })
    .execute();
  await insertVersion(tx, { keyId: id, number: 1 }, key, created_at);
  const rows = [...tags].map(([name, value]) => ({ key_id: id, name, value }));
  if (rows.length > 0) await tx.insertInto('key_tags').values(rows).execute();
}

async function beginNext(tx: Transaction<Database>, keyId: string, objects: VersionObjects): Promise<number> {
  const { latest } = await tx
    .selectFrom('key_versions')
    .select((eb) => eb.fn.max('number').as('latest'))
    .where('key_id', '=', keyId)
    .executeTakeFirstOrThrow();
  const number = latest + 1;
  await insertVersion(tx, { keyId, number }, objects, Date.now());
  return number;
}

async function insertVersion(
  tx: Transaction<Database>,
  { keyId, number }: VersionName,
  { encryptObject, wrapObject }: VersionObjects,
  created_at: number,
): Promise<void> {
  await tx
    .insertInto('key_versions')
    .values({
      key_id: keyId,
      number,
      state: 'creating',
      encrypt_object: encryptObject,
      wrap_object: wrapObject,
      created_at,
    })
    .execute();
}

/** What `KeyVersionRepository.finish` does, in a transaction. */
export async function finish(
  tx: Transaction<Database>,
  { keyId, number }: VersionName,
  rotation?: FinishedRotation,
): Promise<boolean> {
  const version = await tx
    .updateTable('key_versions')
    .set({ state: 'active', rotation: rotation?.cause ?? null, rotated_at: rotation?.at ?? null })
    .where('key_id', '=', keyId)
    .where('number', '=', number)
    .where('state', '=', 'creating')
    .executeTakeFirst();
  if (version.numUpdatedRows !== 1n) return false;
  const key = await tx
    .updateTable('keys')
    .set((eb) => (rotation ? { current_version: laterOf(eb, number) } : { state: 'enabled' }))
    .where('id', '=', keyId)
    .where('state', 'in', rotation ? ['enabled', 'disabled', 'pending_deletion'] : ['creating'])
    .executeTakeFirst();
  // Rolls back: the version stays unfinished, and is cleaned up.
  if (key.numUpdatedRows !== 1n) throw new Error(`key ${keyId} is being destroyed`);
  if (rotation?.nextAt !== undefined) await putOff(tx, keyId, rotation.at, rotation.nextAt);
  return true;
}

/** A service that has lost the lock may finish a version when another one has made the next already. */
function laterOf(eb: ExpressionBuilder<Database, 'keys'>, number: number) {
  return eb.case().when('current_version', '<', number).then(number).else(eb.ref('current_version')).end();
}

/** Unless somebody has turned rotation off meanwhile, or changed its period, which is not to be undone. */
async function putOff(tx: Transaction<Database>, keyId: string, at: number, nextAt: number): Promise<void> {
  await tx
    .updateTable('keys')
    .set({ next_rotation_at: nextAt })
    .where('id', '=', keyId)
    .where('next_rotation_at', '<=', at)
    .execute();
}

/** What `KeyVersionRepository.forget` does, in a transaction. */
export async function forget(tx: Transaction<Database>, { keyId, number }: VersionName): Promise<void> {
  const { numDeletedRows } = await tx
    .deleteFrom('key_versions')
    .where('key_id', '=', keyId)
    .where('number', '=', number)
    .where('state', '=', 'removing')
    .executeTakeFirst();
  if (numDeletedRows !== 1n) return;
  const making = tx.selectFrom('keys').select('id').where('id', '=', keyId).where('state', '=', 'creating');
  await tx.deleteFrom('key_tags').where('key_id', 'in', making).execute();
  await tx.deleteFrom('keys').where('id', '=', keyId).where('state', '=', 'creating').execute();
}

async function reserveCalls(
  db: Kysely<Database>,
  { keyId, number }: VersionName,
  count: number,
  bound: number,
): Promise<number> {
  for (;;) {
    const { gcm_calls: used } = await db
      .selectFrom('key_versions')
      .select('gcm_calls')
      .where('key_id', '=', keyId)
      .where('number', '=', number)
      .executeTakeFirstOrThrow();
    const block = Math.min(count, bound - used);
    if (block <= 0) return 0;
    const { numUpdatedRows } = await db
      .updateTable('key_versions')
      .set({ gcm_calls: used + block })
      .where('key_id', '=', keyId)
      .where('number', '=', number)
      .where('gcm_calls', '=', used)
      .executeTakeFirst();
    if (numUpdatedRows === 1n) return block;
    // Another instance has reserved a block in between, so all together get on.
  }
}
