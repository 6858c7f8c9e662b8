import type { Kysely } from 'kysely';
import { orderedText } from './ordered-text';

/** Principals with their access keys and policies, and what holds the audit record together. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createPrincipals(db);
  await createAccessKeys(db);
  await createPrincipalPolicies(db);
  await db.schema
    .createTable('audit_chains')
    .addColumn('id', orderedText(db), (column) => column.primaryKey())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .execute();
  for (const name of ['audit_key_object', 'audit_key_state', 'audit_public_key']) {
    await db.schema.alterTable('store').addColumn(name, 'text').execute();
  }
  // Asked for by every request that no policy allows.
  await db.schema
    .createIndex('grants_grantee_principal')
    .on('grants')
    .columns(['key_id', 'grantee_principal'])
    .execute();
}

async function createPrincipals(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('principals')
    .addColumn('name', orderedText(db), (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('certificate_subject', 'text', (column) => column.unique())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
}

async function createAccessKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('access_keys')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('principal', 'text', (column) => column.notNull().references('principals.name'))
    .addColumn('sealed_secret', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .execute();
  await db.schema.createIndex('access_keys_principal').on('access_keys').column('principal').execute();
}

async function createPrincipalPolicies(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('principal_policies')
    .addColumn('principal', 'text', (column) => column.notNull().references('principals.name'))
    .addColumn('name', orderedText(db), (column) => column.notNull())
    .addColumn('document', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('principal_policies_pkey', ['principal', 'name'])
    .execute();
}
