import type { ColumnDefinitionBuilder, Kysely } from 'kysely';
import { orderedText } from './ordered-text';

/** Deletion, rotation, policies, tags, grants, last use, and how much time services have seen pass. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const now = Date.now();
  await db.schema.alterTable('store').addColumn('usage_tracked_since', 'bigint', notNull(now)).execute();
  await db.schema.alterTable('store').addColumn('heartbeat_ms', 'bigint', notNull(0)).execute();
  await db.schema.alterTable('store').addColumn('heartbeat_at', 'bigint').execute();
  await addKeyColumns(db);
  await db.schema.alterTable('key_versions').addColumn('rotation', 'text').execute();
  await db.schema.alterTable('key_versions').addColumn('rotated_at', 'bigint').execute();
  await db.schema.alterTable('key_versions').addColumn('gcm_calls', 'bigint', notNull(0)).execute();
  await createKeyTags(db);
  await createKeyUsage(db);
  await createGrants(db);
}

const notNull = (initial: number) => (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(initial);

/** SQLite adds one column in a statement. */
async function addKeyColumns(db: Kysely<unknown>): Promise<void> {
  const columns = [
    ['policy', 'text'],
    ['deletion_window_days', 'integer'],
    ['deletion_at', 'bigint'],
    ['deletion_heartbeat', 'bigint'],
    ['rotation_period_days', 'integer'],
    ['next_rotation_at', 'bigint'],
  ] as const;
  for (const [name, type] of columns) await db.schema.alterTable('keys').addColumn(name, type).execute();
  await db.schema.alterTable('keys').addColumn('last_version', 'integer', notNull(1)).execute();
  // What housekeeping asks for every few seconds.
  await db.schema.createIndex('keys_deletion_at').on('keys').column('deletion_at').execute();
  await db.schema.createIndex('keys_next_rotation_at').on('keys').column('next_rotation_at').execute();
}

async function createKeyTags(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('key_tags')
    .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id'))
    .addColumn('name', orderedText(db), (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('key_tags_pkey', ['key_id', 'name'])
    .execute();
}

async function createKeyUsage(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('key_usage')
    .addColumn('key_id', 'text', (column) => column.primaryKey().references('keys.id'))
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('used_at', 'bigint', (column) => column.notNull())
    .execute();
}

async function createGrants(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('grants')
    .addColumn('id', orderedText(db), (column) => column.primaryKey())
    .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id'))
    .addColumn('name', 'text')
    .addColumn('grantee_principal', 'text', (column) => column.notNull())
    .addColumn('retiring_principal', 'text')
    .addColumn('operations', 'text', (column) => column.notNull())
    .addColumn('constraints', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('grants_key_id').on('grants').columns(['key_id', 'id']).execute();
  await db.schema.createIndex('grants_key_id_name').on('grants').columns(['key_id', 'name']).execute();
  await db.schema
    .createIndex('grants_retiring_principal')
    .on('grants')
    .column('retiring_principal')
    .execute();
}
