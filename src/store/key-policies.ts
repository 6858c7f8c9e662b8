import type { Kysely } from 'kysely';
import type { Database } from './schema';

export interface KeyPolicyRepository {
  /** A key's policy as it was put; undefined while the default policy applies. */
  find(keyId: string): Promise<string | undefined>;
  /** Whether there is such a key. */
  put(keyId: string, policy: string): Promise<boolean>;
}

export function keyPolicyRepository(db: Kysely<Database>): KeyPolicyRepository {
  return {
    async find(keyId) {
      const row = await db.selectFrom('keys').select('policy').where('id', '=', keyId).executeTakeFirst();
      return row?.policy ?? undefined;
    },

    async put(keyId, policy) {
      const { numUpdatedRows } = await db
        .updateTable('keys')
        .set({ policy })
        .where('id', '=', keyId)
        .where('state', 'not in', ['creating', 'deleted'])
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}
