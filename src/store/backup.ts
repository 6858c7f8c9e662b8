/** Backups of a store in a file of SQLite, also of one that services work with. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import SQLite from 'better-sqlite3';
import { StartError } from '../errors';
import { reasonOf, syncToDisk } from './files';
import { assertSound } from './sound';
import { sqliteExists, storeFile } from './sqlite';

/** What was backed up. */
export interface Backup {
  readonly storeId: string;
  /** Keys that clients can see. */
  readonly keys: number;
  readonly bytes: number;
}

export interface BackupWatch {
  /** Ends the backup; nothing is left of it. */
  readonly signal: AbortSignal;
  /** Told now and then how much of the whole is done: from 0 to 1. */
  readonly onProgress: (done: number) => void;
}

/** Between two of them the process hears signals, and says how far it has got. */
const PAGES_PER_STEP = 1_000;
const BUSY_TIMEOUT_MS = 30_000;

/**
 * Copies the store in the data directory to a new file, for its owner alone, as it is at one moment. The file appears
 * under its name when it is complete, checked and on the disk.
 *
 * @throws StartError
 */
export async function backUpSqlite(dataDir: string, file: string, watch: BackupWatch): Promise<Backup> {
  if (!sqliteExists(dataDir)) throw new StartError(`there is no store in ${dataDir} to back up`);
  const target = resolve(file);
  assertFree(target, dataDir);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  try {
    closeSync(openSync(partial, 'wx', 0o600));
    await copy(storeFile(dataDir), partial, watch);
    const found = check(partial);
    syncToDisk(partial);
    watch.signal.throwIfAborted();
    assertFree(target, dataDir);
    renameSync(partial, target);
    syncToDisk(dirname(target));
    return { ...found, bytes: statSync(target).size };
  } catch (error) {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(partial + suffix, { force: true });
    if (error instanceof StartError) throw error;
    const why = watch.signal.aborted ? 'interrupted' : reasonOf(error);
    throw new StartError(`no backup was made in ${target}: ${why}`, undefined, { cause: error });
  }
}

function assertFree(target: string, dataDir: string): void {
  // Also what is not there while no service runs: SQLite would take the backup for its own.
  if (target.startsWith(`${storeFile(dataDir)}-`))
    throw new StartError(`${target} is a name that the store needs for itself: choose another`);
  if (existsSync(target))
    throw new StartError(`${target} exists already: a backup is made in a new file only`);
}

/**
 * The open transaction holds one state of the store for the whole of the copy. Without it every write of a service
 * would make the copy begin again, for ever on a busy store.
 */
async function copy(from: string, to: string, { signal, onProgress }: BackupWatch): Promise<void> {
  const source = new SQLite(from, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    source.exec('BEGIN');
    source.prepare('select count(*) from sqlite_schema').get();
    await source.backup(to, {
      progress({ totalPages, remainingPages }) {
        signal.throwIfAborted();
        onProgress(1 - remainingPages / totalPages);
        return PAGES_PER_STEP;
      },
    });
  } finally {
    source.close();
  }
}

function check(file: string): Pick<Backup, 'storeId' | 'keys'> {
  const database = new SQLite(file, { fileMustExist: true });
  try {
    // One file that is whole by itself: a copy of a store that writes ahead would be opened with a second one.
    database.pragma('journal_mode = DELETE');
    const storeId = assertSound(database);
    const keys = database
      .prepare("select count(*) from keys where state not in ('creating', 'deleted')")
      .pluck()
      .get() as number;
    return { storeId, keys };
  } finally {
    database.close();
  }
}
