import type { Kysely, Transaction } from 'kysely';
import { CHANGEABLE } from './keys';
import type { Database } from './schema';

export interface DeletionRepository {
  /** Schedules a key's deletion: false where its state forbids it. */
  schedule(id: string, deletion: { windowDays: number; windowMs: number; at: number }): Promise<boolean>;
  /** Cancels a scheduled deletion, which leaves the key disabled: false where there is none, or it has begun. */
  cancel(id: string): Promise<boolean>;
  /** Keys whose window has passed, by the wall clock and in heartbeats. */
  due(now: number): Promise<string[]>;
  /** Begins to destroy a key whose deletion is due: false where it is not. Nothing can undo it. */
  begin(id: string, now: number): Promise<boolean>;
  /** Keys whose destruction began at `begunBefore` or earlier. */
  begun(begunBefore: number): Promise<string[]>;
  /** CKA_IDs of all objects of a key that is being destroyed; none of any other key. */
  objects(id: string): Promise<string[]>;
  /** The objects are gone: leaves a tombstone of the key. False where the key is not being destroyed. */
  bury(id: string): Promise<boolean>;
}

export function deletionRepository(db: Kysely<Database>): DeletionRepository {
  const heartbeat = db.selectFrom('store').select('heartbeat_ms');
  const dueKeys = (now: number) =>
    db
      .selectFrom('keys')
      .select('id')
      .where('state', '=', 'pending_deletion')
      .where('deletion_at', '<=', now)
      .where('deletion_heartbeat', '<=', heartbeat);

  return {
    async schedule(id, { windowDays, windowMs, at }) {
      const { heartbeat_ms } = await heartbeat.executeTakeFirstOrThrow();
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
    },

    async cancel(id) {
      const { numUpdatedRows } = await db
        .updateTable('keys')
        .set({ state: 'disabled', deletion_window_days: null, deletion_at: null, deletion_heartbeat: null })
        .where('id', '=', id)
        .where('state', '=', 'pending_deletion')
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    due: async (now) => (await dueKeys(now).execute()).map(({ id }) => id),

    async begin(id, now) {
      const { numUpdatedRows } = await db
        .updateTable('keys')
        .set({ state: 'deleting', deletion_at: now })
        .where('id', 'in', dueKeys(now).where('id', '=', id))
        .where('state', '=', 'pending_deletion')
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async begun(begunBefore) {
      const rows = await db
        .selectFrom('keys')
        .select('id')
        .where('state', '=', 'deleting')
        .where('deletion_at', '<=', begunBefore)
        .execute();
      return rows.map(({ id }) => id);
    },

    objects: (id) => objectsOf(db, id),
    bury: (id) => db.transaction().execute((tx) => bury(tx, id)),
  };
}

async function objectsOf(db: Kysely<Database>, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom('keys')
    .innerJoin('key_versions', 'key_id', 'id')
    .select(['encrypt_object', 'wrap_object'])
    .where('id', '=', id)
    .where('keys.state', '=', 'deleting')
    .execute();
  return rows.flatMap((row) => [row.encrypt_object, row.wrap_object]);
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
