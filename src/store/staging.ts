/** Putting the store of a backup into a data directory: whole, or not at all. */
import { constants, existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import SQLite from 'better-sqlite3';
import { StartError } from '../errors';
import { reasonOf, syncToDisk } from './files';
import { assertSound } from './sound';
import { storeFile } from './sqlite';
import { openStore, type Store } from './store';

/** A backup's store that is not in its place yet. */
export interface StagedStore {
  /** Up to date, to be changed at will. */
  readonly store: Store;
  /**
   * Closes the store and puts it into the data directory, where nobody else may be at work. At every moment there is
   * either the old store or this one.
   *
   * @returns the file to which the old store has gone, if there was one
   * @throws StartError
   */
  putInPlace(): Promise<string | undefined>;
  /** Closes the store and removes what is left of it. */
  discard(): Promise<void>;
}

/** Held by whoever has the data directory: what is in it is left over from a restore that was cut short. */
const STAGE = 'restore.tmp';
const BUSY_TIMEOUT_MS = 1_000;

/**
 * Copies a backup, checks the copy and brings it up to date. The backup is not touched.
 *
 * @param onlyToLook whether it will not be put in place: then the data directory is left alone
 * @throws StartError where the file is no sound store of p11kms, or one of a newer p11kms
 */
export async function stageStore(file: string, dataDir: string, onlyToLook: boolean): Promise<StagedStore> {
  const backup = resolve(file);
  const refuse = (cause: unknown) =>
    new StartError(`${backup} cannot be restored: ${reasonOf(cause)}`, undefined, { cause });
  try {
    assertBackup(backup, dataDir);
  } catch (error) {
    throw refuse(error);
  }
  const stage = onlyToLook ? mkdtempSync(join(tmpdir(), 'p11kms-restore-')) : join(dataDir, STAGE);
  const remove = () => rmSync(stage, { recursive: true, force: true });
  try {
    if (!onlyToLook) {
      remove();
      await mkdir(stage, { mode: 0o700 });
    }
    const staged = storeFile(stage);
    await copyFile(backup, staged);
    await chmod(staged, 0o600);
    check(staged);
    const store = await openStore(stage);
    return {
      store,
      async putInPlace() {
        await store.close();
        return putInPlace(stage, dataDir);
      },
      async discard() {
        await store.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    // The path of the copy would tell nobody anything.
    throw refuse(error instanceof StartError ? error.cause : error);
  }
}

function assertBackup(backup: string, dataDir: string): void {
  const found = statSync(backup, { throwIfNoEntry: false });
  if (!found) throw new Error('there is no such file');
  if (!found.isFile()) throw new Error('it is not a regular file');
  const current = statSync(storeFile(dataDir), { throwIfNoEntry: false });
  if (current && current.ino === found.ino && current.dev === found.dev)
    throw new Error('it is the store itself, which needs no restoring');
  for (const suffix of ['-wal', '-journal']) {
    if ((statSync(backup + suffix, { throwIfNoEntry: false })?.size ?? 0) > 0)
      throw new Error(
        `a part of it is in ${backup}${suffix}: give a file that p11kms backup made of that store`,
      );
  }
}

function check(file: string): void {
  const database = new SQLite(file, { fileMustExist: true });
  try {
    assertSound(database);
  } finally {
    database.close();
  }
}

async function putInPlace(stage: string, dataDir: string): Promise<string | undefined> {
  const [staged, place] = [storeFile(stage), storeFile(dataDir)];
  try {
    if (existsSync(`${staged}-wal`)) throw new Error(`${staged} is in use`);
    syncToDisk(staged);
    const previous = await keepPrevious(stage, place);
    renameSync(staged, place);
    syncToDisk(dataDir);
    return previous;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`the store ${place} was not replaced: ${reasonOf(error)}`, undefined, {
      cause: error,
    });
  }
}

/**
 * Copies the store that is there to another name, and leaves nothing beside it that SQLite would take for a part of
 * the one that comes in its place.
 */
async function keepPrevious(stage: string, place: string): Promise<string | undefined> {
  const name = `${place}.before-restore-${new Date().toISOString().replaceAll(':', '-')}`;
  const exists = existsSync(place);
  if (exists) {
    closeForGood(place);
    const copy = join(stage, 'previous');
    await copyFile(place, copy, constants.COPYFILE_FICLONE);
    await chmod(copy, 0o600);
    syncToDisk(copy);
    renameSync(copy, name);
  }
  // There are some only where the store is damaged or gone: kept together with it, in case they can be of use.
  for (const suffix of ['-wal', '-journal', '-shm']) {
    if (existsSync(place + suffix)) renameSync(place + suffix, name + suffix);
  }
  syncToDisk(dirname(place));
  return exists ? name : undefined;
}

/** Brings everything into the one file, which SQLite does only where nobody else has it open. */
function closeForGood(place: string): void {
  let database: SQLite.Database | undefined;
  try {
    database = new SQLite(place, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    database.pragma('journal_mode = DELETE');
  } catch (cause) {
    if (String((cause as { code?: unknown }).code).startsWith('SQLITE_BUSY')) {
      const message = `the store ${place} is in use by another process (p11kms backup or doctor?): let it end first`;
      throw new StartError(message, undefined, { cause });
    }
    // A damaged one is kept as it is: it may be the reason for all this.
  } finally {
    database?.close();
  }
}
