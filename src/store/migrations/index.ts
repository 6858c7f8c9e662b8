import { type Kysely, type Migration, Migrator } from 'kysely';
import type { Database } from '../schema';
import * as symmetricKeys from './0001-symmetric-keys';

/** In order; a name, once released, never changes. There is no way down: a backup is. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-symmetric-keys': symmetricKeys,
};

/** Brings the schema up to date. */
export async function migrate(db: Kysely<Database>): Promise<void> {
  const provider = { getMigrations: async () => ({ ...MIGRATIONS }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error) throw error;
}
