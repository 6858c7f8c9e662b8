/** What a store needs after it was restored from a backup, on either engine. */
import type { Kysely, Selectable, Transaction } from 'kysely';
import { claimRemoval, type FinishedRotation, finish, forget, type VersionName } from './key-versions';
import type { Database, KeysTable, KeyVersionsTable, StoreTable } from './schema';

/** Everything that a restore has to know of a store: keys and versions in every state. */
export interface StoreContents {
  readonly store: Selectable<StoreTable>;
  readonly keys: readonly Selectable<KeysTable>[];
  /** By key and number, ascending. */
  readonly versions: readonly Selectable<KeyVersionsTable>[];
}

/** What has to change in a restored store because time has passed that it has not seen. */
export interface Adjustments {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly gcmCalls: {
    /** How many calls may have been made of each version since the backup. */
    readonly skipped: number;
    /** Counters do not go beyond. */
    readonly bound: number;
  };
  /** Versions whose making was under way in the backup, and which are on the token. */
  readonly finish: readonly { readonly version: VersionName; readonly rotation?: FinishedRotation }[];
  /** Those which are not. */
  readonly forget: readonly VersionName[];
  /** Keys pending deletion: the time at which their windows now end, by the wall clock and in heartbeats. */
  readonly deletions: readonly { readonly keyId: string; readonly at: number; readonly heartbeat: number }[];
}

export interface RecoveryRepository {
  read(): Promise<StoreContents>;
  /** All of it or nothing. */
  adjust(adjustments: Adjustments): Promise<void>;
}

export function recoveryRepository(db: Kysely<Database>): RecoveryRepository {
  return {
    async read() {
      const store = await db.selectFrom('store').selectAll().executeTakeFirstOrThrow();
      const keys = await db.selectFrom('keys').selectAll().orderBy('id').execute();
      const versions = await db
        .selectFrom('key_versions')
        .selectAll()
        .orderBy('key_id')
        .orderBy('number')
        .execute();
      return { store, keys, versions };
    },

    adjust: (adjustments) => db.transaction().execute((tx) => adjust(tx, adjustments)),
  };
}

async function adjust(tx: Transaction<Database>, adjustments: Adjustments): Promise<void> {
  for (const { version, rotation } of adjustments.finish) await finish(tx, version, rotation);
  for (const version of adjustments.forget) {
    await claimRemoval(tx, version);
    await forget(tx, version);
  }
  for (const { keyId, at, heartbeat } of adjustments.deletions) {
    await tx
      .updateTable('keys')
      .set({ deletion_at: at, deletion_heartbeat: heartbeat })
      .where('id', '=', keyId)
      .where('state', '=', 'pending_deletion')
      .execute();
  }
  await skipCalls(tx, adjustments.gcmCalls);
  await tx
    .updateTable('store')
    .set({
      service_key_state: 'active',
      // The counters are right as of now, and uses between the backup and now are not known.
      heartbeat_at: adjustments.now,
      usage_tracked_since: adjustments.now,
    })
    .execute();
}

/** A counter that is beyond the bound already stays where it is. */
async function skipCalls(
  tx: Transaction<Database>,
  { skipped, bound }: Adjustments['gcmCalls'],
): Promise<void> {
  const reached = Math.max(0, bound - skipped);
  await tx
    .updateTable('key_versions')
    .set({ gcm_calls: bound })
    .where('gcm_calls', '>=', reached)
    .where('gcm_calls', '<', bound)
    .execute();
  await tx
    .updateTable('key_versions')
    .set((eb) => ({ gcm_calls: eb('gcm_calls', '+', skipped) }))
    .where('gcm_calls', '<', reached)
    .execute();
}
