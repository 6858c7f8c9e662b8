import type { Kysely } from 'kysely';
import type { Database } from './schema';

export interface HeartbeatRepository {
  /** Milliseconds that services have seen pass on this store. */
  read(): Promise<number>;
  /** Records that more have passed: false where another service has recorded some since `from` was read. */
  advance(from: number, to: number): Promise<boolean>;
}

export function heartbeatRepository(db: Kysely<Database>): HeartbeatRepository {
  return {
    async read() {
      const { heartbeat_ms } = await db.selectFrom('store').select('heartbeat_ms').executeTakeFirstOrThrow();
      return heartbeat_ms;
    },

    async advance(from, to) {
      const { numUpdatedRows } = await db
        .updateTable('store')
        .set({ heartbeat_ms: to, heartbeat_at: Date.now() })
        .where('heartbeat_ms', '=', from)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}
