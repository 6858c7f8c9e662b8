/** The store: what p11kms knows about its keys, and nothing that could open one. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { StartError } from '../errors';
import { type AliasRepository, aliasRepository } from './aliases';
import { type DeletionRepository, deletionRepository } from './deletions';
import { type HeartbeatRepository, heartbeatRepository } from './heartbeat';
import { type IdentityRepository, identityRepository } from './identity';
import { type KeyUsageRepository, keyUsageRepository } from './key-usage';
import { type KeyVersionRepository, keyVersionRepository } from './key-versions';
import { type KeyRepository, keyRepository } from './keys';
import { migrate } from './migrations';
import type { Database } from './schema';

export interface Store {
  readonly identity: IdentityRepository;
  readonly heartbeat: HeartbeatRepository;
  readonly keys: KeyRepository;
  readonly versions: KeyVersionRepository;
  readonly deletions: DeletionRepository;
  readonly usage: KeyUsageRepository;
  readonly aliases: AliasRepository;
  /** Does work of one name one at a time in all instances. Not re-entrant. */
  exclusively<T>(name: 'start' | 'token-objects', work: () => Promise<T>): Promise<T>;
  /** Rejects where the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const FILE = 'p11kms.sqlite';
/** Another process, a backup for one, may hold the lock for a moment. */
const BUSY_TIMEOUT_MS = 5_000;

/** Whether there is a store in this directory already. */
export function storeExists(dataDir: string): boolean {
  return existsSync(join(dataDir, FILE));
}

/**
 * Opens the store in the data directory, makes one where there is none, and brings its schema up to date.
 *
 * @throws StartError
 */
export async function openStore(dataDir: string): Promise<Store> {
  const file = join(dataDir, FILE);
  let database: SQLite.Database | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    database = new SQLite(file, { timeout: BUSY_TIMEOUT_MS });
    chmodSync(file, 0o600);
    setPragmas(database);
    const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) });
    await migrateAtOnce(database, db);
    return storeOf(db);
  } catch (error) {
    database?.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`the store ${file} cannot be used: ${why}`, undefined, { cause: error });
  }
}

function setPragmas(database: SQLite.Database): void {
  database.pragma('journal_mode = WAL');
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

function storeOf(db: Kysely<Database>): Store {
  return {
    identity: identityRepository(db),
    heartbeat: heartbeatRepository(db),
    keys: keyRepository(db),
    versions: keyVersionRepository(db),
    deletions: deletionRepository(db),
    usage: keyUsageRepository(db),
    aliases: aliasRepository(db),
    exclusively: createQueue(),
    ping: async () => void (await sql`select 1`.execute(db)),
    close: () => db.destroy(),
  };
}

function createQueue(): Store['exclusively'] {
  let last: Promise<unknown> = Promise.resolve();
  return (_name, work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
