import { DEFAULT_MIGRATION_TABLE, type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { Database } from '../schema';
import * as symmetricKeys from './0001-symmetric-keys';
import * as keyLifeCycle from './0002-key-life-cycle';
import * as accessAndAudit from './0003-access-and-audit';
import * as clientKeys from './0004-client-keys';

/** In order; a name, once released, never changes. There is no way down: a backup is. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-symmetric-keys': symmetricKeys,
  '0002-key-life-cycle': keyLifeCycle,
  '0003-access-and-audit': accessAndAudit,
  '0004-client-keys': clientKeys,
};

/**
 * Brings the schema up to date.
 *
 * @param schemaName where the database has several, and others may have migrations of their own
 * @throws where that fails, or the store has been in the hands of a newer p11kms
 */
export async function migrate(db: Kysely<Database>, schemaName?: string): Promise<void> {
  const provider = { getMigrations: async () => ({ ...MIGRATIONS }) };
  const schema = schemaName === undefined ? {} : { migrationTableSchema: schemaName };
  const { error } = await new Migrator({ db, provider, ...schema }).migrateToLatest();
  if (!error) return;
  const newer = await unknownMigration(db);
  if (newer === undefined) throw error;
  throw new Error(`a newer p11kms has written it (migration ${newer}): run that one`, { cause: error });
}

async function unknownMigration(db: Kysely<Database>): Promise<string | undefined> {
  try {
    const table = sql.table(DEFAULT_MIGRATION_TABLE);
    const { rows } = await sql<{ name: string }>`select name from ${table} order by name`.execute(db);
    return rows.find(({ name }) => !Object.hasOwn(MIGRATIONS, name))?.name;
  } catch {
    // The error that brought us here says more.
    return undefined;
  }
}
