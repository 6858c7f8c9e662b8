import type { Kysely } from 'kysely';
import type { Database } from './schema';

export interface KeyPolicyRepository {
  /** A key's policy as it was put; undefined while the default policy applies. */
  find(keyId: string): Promise<string | undefined>;
  put(keyId: string, policy: string): Promise<void>;
}

export function keyPolicyRepository(db: Kysely<Database>): KeyPolicyRepository {
  return {
    async find(keyId) {
      const row = await db.selectFrom('keys').select('policy').where('id', '=', keyId).executeTakeFirst();
      return row?.policy ?? undefined;
    },

    async put(keyId, policy) {
      await db.updateTable('keys').set({ policy }).where('id', '=', keyId).execute();
    },
  };
}
