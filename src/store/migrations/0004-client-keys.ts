import type { Kysely } from 'kysely';
import { orderedText } from './ordered-text';

/** What Alibaba's SDKs sign with. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('client_keys')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('principal', orderedText(db), (column) => column.notNull().references('principals.name'))
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('client_keys_principal').on('client_keys').column('principal').execute();
}
