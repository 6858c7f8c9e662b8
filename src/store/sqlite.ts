/** The store in a file of SQLite, for one service. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { StartError } from '../errors';
import type { Engine } from './engine';
import { migrate } from './migrations';
import type { Database } from './schema';
import { auditHeads } from './sqlite-audit-heads';

const FILE = 'p11kms.sqlite';
/** Another process, a backup for one, may hold the lock for a moment. */
const BUSY_TIMEOUT_MS = 5_000;

/** The store's file in its data directory. */
export const storeFile = (dataDir: string): string => join(dataDir, FILE);

/** Whether there is a store in this directory already. */
export function sqliteExists(dataDir: string): boolean {
  return existsSync(storeFile(dataDir));
}

/**
 * Opens the store in the data directory, makes one where there is none, and brings its schema up to date.
 *
 * @throws StartError
 */
export async function openSqlite(dataDir: string): Promise<Engine> {
  const file = storeFile(dataDir);
  let database: SQLite.Database | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    database = new SQLite(file, { timeout: BUSY_TIMEOUT_MS });
    chmodSync(file, 0o600);
    await writeAhead(database);
    setPragmas(database);
    const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) });
    await migrateAtOnce(database, db);
    return engineOf(db, file);
  } catch (error) {
    database?.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`the store ${file} cannot be used: ${why}`, undefined, { cause: error });
  }
}

/** For the change to a write-ahead log nobody else may be at work, and SQLite does not wait for that by itself. */
async function writeAhead(database: SQLite.Database): Promise<void> {
  const until = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      database.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
      if (!isBusy || performance.now() > until) throw error;
      await sleep(20);
    }
  }
}

function setPragmas(database: SQLite.Database): void {
  // A key that a client was told of must survive a power cut.
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
}

/**
 * All of it or nothing, and one process at a time: Kysely gives SQLite's migrations no transaction, so a crash would
 * leave half a schema, and two processes would make the same tables.
 */
async function migrateAtOnce(database: SQLite.Database, db: Kysely<Database>): Promise<void> {
  database.exec('BEGIN IMMEDIATE');
  try {
    await migrate(db);
    database.exec('COMMIT');
  } finally {
    if (database.inTransaction) database.exec('ROLLBACK');
  }
}

function engineOf(db: Kysely<Database>, file: string): Engine {
  const heads = auditHeads(file);
  return {
    db,
    putAuditHead: heads.put,
    ping: async () => void (await sql`select 1`.execute(db)),
    // The data directory is locked for one service: there are no others.
    alone: (_name, _waitMs, work) => work(),
    isShared: async () => false,
    async close() {
      heads.close();
      await db.destroy();
    },
  };
}
