import type { Kysely } from 'kysely';
import { orderedText } from './ordered-text';

/** Keys, their versions, aliases, and what ties the store to its token. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('store')
    .addColumn('singleton', 'integer', (column) => column.primaryKey().defaultTo(1))
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('service_key_object', 'text', (column) => column.notNull())
    .addColumn('service_key_state', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('keys')
    .addColumn('id', orderedText(db), (column) => column.primaryKey())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('current_version', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('key_versions')
    .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id'))
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('encrypt_object', 'text', (column) => column.notNull().unique())
    .addColumn('wrap_object', 'text', (column) => column.notNull().unique())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('key_versions_pkey', ['key_id', 'number'])
    .execute();
  await db.schema
    .createTable('aliases')
    .addColumn('name', orderedText(db), (column) => column.primaryKey())
    .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id'))
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('aliases_key_id').on('aliases').column('key_id').execute();
}
