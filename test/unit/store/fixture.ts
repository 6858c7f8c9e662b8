import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { StartError } from '../../../src/errors';
import type { NewKey, VersionName } from '../../../src/store/key-versions';
import { openStore, type Store } from '../../../src/store/store';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A directory of this test's own. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-store-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const fileIn = (dataDir: string): string => join(dataDir, 'p11kms.sqlite');

/** A store that is closed when the test ends. */
export async function open(dataDir: string = newDirectory()): Promise<Store> {
  const store = await openStore(dataDir);
  cleanUps.push(() => store.close());
  return store;
}

/** What an operator's tool sees of the closed store, or does to it. */
export function withDatabase<T>(dataDir: string, use: (database: SQLite.Database) => T): T {
  const database = new SQLite(fileIn(dataDir));
  try {
    return use(database);
  } finally {
    database.close();
  }
}

export async function startErrorOf(promise: Promise<unknown>): Promise<StartError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A key id that sorts by its number. */
export const idOf = (number: number): string =>
  `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

export const newKey = (number: number): NewKey => ({
  id: idOf(number),
  description: `key ${number}`,
  encryptObject: `e${String(number).padStart(31, '0')}`,
  wrapObject: `f${String(number).padStart(31, '0')}`,
});

/** A key that can be used. */
export async function addKey(store: Store, number: number): Promise<string> {
  const key = newKey(number);
  await store.versions.beginKey(key);
  await store.versions.finish({ keyId: key.id, number: 1 });
  return key.id;
}

/** What clean-up does in the store with a version that was not finished. */
export async function remove(store: Store, version: VersionName): Promise<void> {
  await store.versions.claimRemoval(version);
  await store.versions.forget(version);
}
