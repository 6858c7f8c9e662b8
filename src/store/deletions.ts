import type { ExpressionBuilder, Kysely, Transaction } from 'kysely';
import { CHANGEABLE } from './keys';
import type { Database } from './schema';

/** When a key is to be destroyed: after `windowMs` have passed in heartbeats, and not before `at` by the wall clock. */
export interface ScheduledDeletion {
  readonly windowDays: number;
  readonly windowMs: number;
  readonly at: number;
}

export interface DeletionRepository {
  /** Schedules a key's deletion: false where its state forbids it. */
  schedule(id: string, deletion: ScheduledDeletion): Promise<boolean>;
  /** Cancels a scheduled deletion, which leaves the key disabled: false where there is none, or it has begun. */
  cancel(id: string): Promise<boolean>;
  /** Keys whose window has passed, by the wall clock and in heartbeats. */
  due(now: number): Promise<string[]>;
  /**
   * Begins to destroy a key whose deletion is due: false where it is not. Nothing can undo it.
   *
   * @param drainMs how long after that nobody may touch its objects, in heartbeats
   */
  begin(id: string, now: number, drainMs: number): Promise<boolean>;
  /** Keys whose destruction has begun, and whose objects nobody uses any more. */
  begun(): Promise<string[]>;
  /** CKA_IDs of the objects of each version of a key that is being destroyed; none of any other key. */
  objects(id: string): Promise<string[][]>;
  /** The objects are gone: leaves a tombstone of the key. False where the key is not being destroyed. */
  bury(id: string): Promise<boolean>;
}

export function deletionRepository(db: Kysely<Database>): DeletionRepository {
  return {
    schedule: (id, deletion) => schedule(db, id, deletion),
    cancel: (id) => cancel(db, id),

    async due(now) {
      const rows = await db.selectFrom('keys').select('id').where(isDue(db, now)).execute();
      return rows.map(({ id }) => id);
    },

    begin: (id, now, drainMs) => begin(db, id, now, drainMs),

    async begun() {
      const rows = await db
        .selectFrom('keys')
        .select('id')
        .where('state', '=', 'deleting')
        .where('deletion_heartbeat', '<=', heartbeatOf(db))
        .execute();
      return rows.map(({ id }) => id);
    },

    objects: (id) => objectsOf(db, id),
    bury: (id) => db.transaction().execute((tx) => bury(tx, id)),
  };
}

const heartbeatOf = (db: Kysely<Database>) => db.selectFrom('store').select('heartbeat_ms');

/** A condition on the row itself: PostgreSQL asks it again of a row that another has just changed. */
const isDue = (db: Kysely<Database>, now: number) => (eb: ExpressionBuilder<Database, 'keys'>) =>
  eb.and([
    eb('state', '=', 'pending_deletion'),
    eb('deletion_at', '<=', now),
    eb('deletion_heartbeat', '<=', heartbeatOf(db)),
  ]);

async function schedule(
  db: Kysely<Database>,
  id: string,
  { windowDays, windowMs, at }: ScheduledDeletion,
): Promise<boolean> {
  const { heartbeat_ms } = await heartbeatOf(db).executeTakeFirstOrThrow();
  const { numUpdatedRows } = await db
    .updateTable('keys')
    .set({
      state: 'pending_deletion',
      deletion_window_days: windowDays,
      deletion_at: at,
      deletion_heartbeat: heartbeat_ms + windowMs,
    })
    .where('id', '=', id)
    .where('state', 'in', CHANGEABLE)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function cancel(db: Kysely<Database>, id: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('keys')
    .set({ state: 'disabled', deletion_window_days: null, deletion_at: null, deletion_heartbeat: null })
    .where('id', '=', id)
    .where('state', '=', 'pending_deletion')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function begin(db: Kysely<Database>, id: string, now: number, drainMs: number): Promise<boolean> {
  const { heartbeat_ms } = await heartbeatOf(db).executeTakeFirstOrThrow();
  const { numUpdatedRows } = await db
    .updateTable('keys')
    .set({ state: 'deleting', deletion_at: now, deletion_heartbeat: heartbeat_ms + drainMs })
    .where('id', '=', id)
    .where(isDue(db, now))
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function objectsOf(db: Kysely<Database>, id: string): Promise<string[][]> {
  const rows = await db
    .selectFrom('keys')
    .innerJoin('key_versions', 'key_id', 'id')
    .select(['encrypt_object', 'wrap_object'])
    .where('id', '=', id)
    .where('keys.state', '=', 'deleting')
    .orderBy('number')
    .execute();
  return rows.map((row) => [row.encrypt_object, row.wrap_object]);
}

async function bury(tx: Transaction<Database>, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('keys')
    .set({
      state: 'deleted',
      description: '',
      policy: null,
      rotation_period_days: null,
      next_rotation_at: null,
    })
    .where('id', '=', id)
    .where('state', '=', 'deleting')
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  for (const table of ['aliases', 'grants', 'key_tags', 'key_usage', 'key_versions'] as const) {
    await tx.deleteFrom(table).where('key_id', '=', id).execute();
  }
  return true;
}
