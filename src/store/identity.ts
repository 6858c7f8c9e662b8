import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from './schema';

/** What a store is, and what on the token proves that the two belong together. */
export interface StoreIdentity {
  /** 12 hex digits, part of the label of every object on the token. */
  readonly id: string;
  readonly serviceKey: {
    /** CKA_ID, 16 bytes in hex. */
    readonly id: string;
    /** Nobody has seen the object on the token yet: it may have to be made. */
    readonly mayCreate: boolean;
  };
}

export interface IdentityRepository {
  /** The store's identity; a new store gets one. */
  read(): Promise<StoreIdentity>;
  /** The service key has been seen on the token: from now on its absence is an error. */
  confirmServiceKey(): Promise<void>;
}

export function identityRepository(db: Kysely<Database>): IdentityRepository {
  return {
    async read() {
      const now = Date.now();
      await db
        .insertInto('store')
        .values({
          singleton: 1,
          id: randomBytes(6).toString('hex'),
          service_key_object: randomBytes(16).toString('hex'),
          service_key_state: 'creating',
          created_at: now,
          usage_tracked_since: now,
          heartbeat_at: now,
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const row = await db.selectFrom('store').selectAll().executeTakeFirstOrThrow();
      return {
        id: row.id,
        serviceKey: { id: row.service_key_object, mayCreate: row.service_key_state === 'creating' },
      };
    },

    async confirmServiceKey() {
      await db.updateTable('store').set({ service_key_state: 'active' }).execute();
    },
  };
}
