import type { Kysely, Transaction } from 'kysely';
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
   * exists. False, and nothing is changed, where somebody cleaned up meanwhile, the key is being destroyed, or another
   * rotation was faster.
   */
  finish(version: VersionName, rotation?: FinishedRotation): Promise<boolean>;
  /** Versions that are not finished, begun at least so many milliseconds ago where that is asked. */
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
  /** The version that was current when it began. */
  readonly from: number;
  readonly cause: RotationCause;
  readonly at: number;
  /** When the next automatic rotation is due, where this one was automatic. */
  readonly nextAt?: number;
}

export function keyVersionRepository(db: Kysely<Database>): KeyVersionRepository {
  return {
    beginKey: (key) => db.transaction().execute((tx) => beginKey(tx, key)),
    beginNext: (keyId, objects) => db.transaction().execute((tx) => beginNext(tx, keyId, objects)),
    finish: (version, rotation) => finishOrNot(db, version, rotation),

    async unfinished(olderThanMs) {
      const all = db.selectFrom('key_versions').selectAll().where('state', '<>', 'active');
      // All means all: a clock that was ahead must not keep one from being cleaned up.
      const old = olderThanMs === undefined ? all : all.where('created_at', '<=', Date.now() - olderThanMs);
      const rows = await old.execute();
      return rows.map(({ key_id, number, encrypt_object, wrap_object }) => ({
        keyId: key_id,
        number,
        objects: [encrypt_object, wrap_object],
      }));
    },

    claimRemoval: (version) => claimRemoval(db, version),

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
  const { last_version: number } = await tx
    .updateTable('keys')
    .set((eb) => ({ last_version: eb('last_version', '+', 1) }))
    .where('id', '=', keyId)
    .returning('last_version')
    .executeTakeFirstOrThrow();
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
async function finishOrNot(
  db: Kysely<Database>,
  version: VersionName,
  rotation?: FinishedRotation,
): Promise<boolean> {
  try {
    await db.transaction().execute((tx) => finish(tx, version, rotation));
    return true;
  } catch (error) {
    if (error instanceof NotFinished) return false;
    throw error;
  }
}

/** Rolls back what has been done of it. */
class NotFinished extends Error {}

/** @throws NotFinished */
export async function finish(
  tx: Transaction<Database>,
  { keyId, number }: VersionName,
  rotation?: FinishedRotation,
): Promise<void> {
  const version = await tx
    .updateTable('key_versions')
    .set({ state: 'active', rotation: rotation?.cause ?? null, rotated_at: rotation?.at ?? null })
    .where('key_id', '=', keyId)
    .where('number', '=', number)
    .where('state', '=', 'creating')
    .executeTakeFirst();
  const key = tx.updateTable('keys').where('id', '=', keyId);
  const { numUpdatedRows } = await (rotation
    ? key
        .set({ current_version: number })
        .where('state', 'in', ['enabled', 'disabled', 'pending_deletion'])
        // A service that has lost the lock may come late.
        .where('current_version', '=', rotation.from)
    : key.set({ state: 'enabled' }).where('state', '=', 'creating')
  ).executeTakeFirst();
  if (version.numUpdatedRows !== 1n || numUpdatedRows !== 1n) throw new NotFinished();
  if (rotation?.nextAt !== undefined) await putOff(tx, keyId, rotation.at, rotation.nextAt);
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

/** What `KeyVersionRepository.claimRemoval` does, also in a transaction. */
export async function claimRemoval(db: Kysely<Database>, { keyId, number }: VersionName): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('key_versions')
    .set({ state: 'removing' })
    .where('key_id', '=', keyId)
    .where('number', '=', number)
    .where('state', '<>', 'active')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
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
