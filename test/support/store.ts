import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import type { Site } from './site';

/** Reads or changes a site's store behind the service's back. */
export function withStore<T>({ dataDir }: Site, use: (database: SQLite.Database) => T): T {
  const database = new SQLite(join(dataDir, 'p11kms.sqlite'), { timeout: 5_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}
