import type { Kysely, Selectable } from 'kysely';
import type { Database, KeyUsageTable } from './schema';

export type KeyUsageRow = Selectable<KeyUsageTable>;

export interface KeyUsageRepository {
  /** Records uses, of which the latest of each key counts. Those of keys that are gone are dropped. */
  record(uses: readonly KeyUsageRow[]): Promise<void>;
  find(keyId: string): Promise<KeyUsageRow | undefined>;
  /** Since when uses are recorded, in milliseconds since 1970. */
  trackedSince(): Promise<number>;
}

export function keyUsageRepository(db: Kysely<Database>): KeyUsageRepository {
  return {
    async record(uses) {
      // In one order everywhere: two instances must not wait for each other's rows.
      const ordered = [...uses].sort((one, other) => (one.key_id < other.key_id ? -1 : 1));
      await db.transaction().execute(async (tx) => {
        for (const use of ordered) await recordOne(tx, use);
      });
    },

    find: (keyId) => db.selectFrom('key_usage').selectAll().where('key_id', '=', keyId).executeTakeFirst(),

    async trackedSince() {
      const row = await db.selectFrom('store').select('usage_tracked_since').executeTakeFirstOrThrow();
      return row.usage_tracked_since;
    },
  };
}

async function recordOne(db: Kysely<Database>, { key_id, operation, request_id, used_at }: KeyUsageRow) {
  const living = db
    .selectFrom('keys')
    .select((eb) => ['id', eb.val(operation).as('o'), eb.val(request_id).as('r'), eb.val(used_at).as('u')])
    .where('id', '=', key_id)
    .where('state', '<>', 'deleted');
  await db
    .insertInto('key_usage')
    .columns(['key_id', 'operation', 'request_id', 'used_at'])
    .expression(living)
    .onConflict((conflict) =>
      conflict
        .column('key_id')
        .doUpdateSet({ operation, request_id, used_at })
        .where('key_usage.used_at', '<=', used_at),
    )
    .execute();
}
