import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely, PostgresDialect, SqliteDialect } from 'kysely';
import { Pool } from 'pg';
import { DatabaseUrl } from '../../../src/config/database-url';
import { StartError } from '../../../src/errors';
import type { NewKey, VersionName } from '../../../src/store/key-versions';
import type { Database } from '../../../src/store/schema';
import { openStore, type Store, type StoreAddress } from '../../../src/store/store';
import { postgres } from '../../support/postgres';

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

/** A store that is closed when the test ends: on SQLite, in a directory of its own, where no address is given. */
export async function open(address: StoreAddress = newDirectory()): Promise<Store> {
  const store = await openStore(address);
  cleanUps.push(() => store.close());
  return store;
}

/** A kind of database that a store can be in: `describe.each(engines)('… on $name', ({ open }) => …)`. */
export interface Engine {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** Where there is no store yet. */
  newAddress(): Promise<StoreAddress>;
  /** A store that is closed when the test ends; a new one where no address is given. */
  open(address?: StoreAddress): Promise<Store>;
  /** A connection of its own to what is at the address, for what no store does. Closed when the test ends. */
  database(address: StoreAddress): Kysely<Database>;
  /** What an error's `code` is for a broken constraint. */
  readonly codes: { readonly foreignKey: string; readonly unique: string; readonly primaryKey: string };
}

const newDatabase = async () => new DatabaseUrl(await (await postgres()).createDatabase());

export const engines: readonly Engine[] = [
  {
    name: 'SQLite',
    newAddress: async () => newDirectory(),
    open,
    database: (address) => closed(new SqliteDialect({ database: new SQLite(fileIn(String(address))) })),
    codes: {
      foreignKey: 'SQLITE_CONSTRAINT_FOREIGNKEY',
      unique: 'SQLITE_CONSTRAINT_UNIQUE',
      primaryKey: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    },
  },
  {
    name: 'PostgreSQL',
    newAddress: newDatabase,
    open: async (address) => open(address ?? (await newDatabase())),
    database: (address) => closed(new PostgresDialect({ pool: newPool(urlOf(address)) })),
    codes: { foreignKey: '23503', unique: '23505', primaryKey: '23505' },
  },
];

function newPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 1 });
  // Pools end before their connections have: the server may be gone by then.
  pool.on('error', () => undefined);
  return pool;
}

function closed(dialect: SqliteDialect | PostgresDialect): Kysely<Database> {
  const database = new Kysely<Database>({ dialect });
  cleanUps.push(() => database.destroy());
  return database;
}

/** Of an address on PostgreSQL, the password included. */
export function urlOf(address: StoreAddress): string {
  if (typeof address === 'string') throw new Error('a data directory has no URL');
  return address.reveal();
}

/** What messages call the place. */
export const placeOf = (address: StoreAddress): string =>
  typeof address === 'string' ? fileIn(address) : address.name;

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
