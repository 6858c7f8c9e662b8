import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { StartError } from '../errors';

const FILE = 'service.lock';

/**
 * Takes a data directory for one service. Two on one directory would clean up after each other while keys are being
 * made. The lock is the kernel's, on a file that SQLite locks for us: it falls with the process, however that ends.
 *
 * @returns what gives it back
 * @throws StartError where another service has it, or the directory cannot be used
 */
export function lockDataDirectory(dataDir: string): () => void {
  let lock: SQLite.Database | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const file = join(dataDir, FILE);
    lock = new SQLite(file, { timeout: 0 });
    chmodSync(file, 0o600);
    lock.exec('BEGIN EXCLUSIVE');
    const held = lock;
    return () => void held.close();
  } catch (cause) {
    lock?.close();
    throw new StartError(refusal(dataDir, cause), undefined, { cause });
  }
}

function refusal(dataDir: string, cause: unknown): string {
  if ((cause as { code?: unknown }).code === 'SQLITE_BUSY') {
    return `another p11kms runs on the data directory ${dataDir}: stop it, or choose another P11KMS_DATA_DIR`;
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return `the data directory ${dataDir} cannot be used: ${why}`;
}

/**
 * Takes the kernel's lock on a file, which is made where it does not exist; it falls with the process.
 *
 * @returns what gives it back; undefined where another process has it
 */
export function lockFile(file: string): (() => void) | undefined {
  const lock = new SQLite(file, { timeout: 0 });
  try {
    chmodSync(file, 0o600);
    // Nothing is ever written: a journal beside the file would only be in the way, and need room on a full disk.
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
    return () => void lock.close();
  } catch (error) {
    lock.close();
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return undefined;
    throw error;
  }
}
