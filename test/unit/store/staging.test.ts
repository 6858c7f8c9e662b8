import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import { backUpSqlite } from '../../../src/store/backup';
import * as symmetricKeys from '../../../src/store/migrations/0001-symmetric-keys';
import type { Database } from '../../../src/store/schema';
import { stageStore } from '../../../src/store/staging';
import { openStore } from '../../../src/store/store';
import { addKey, fileIn, newDirectory, open, startErrorOf, withDatabase } from './fixture';

const quiet = { signal: new AbortController().signal, onProgress: () => undefined };

/** A data directory whose store has this many keys, and is closed. */
async function newStore(keys: number): Promise<string> {
  const dataDir = newDirectory();
  const store = await openStore(dataDir);
  await store.identity.read();
  for (let number = 1; number <= keys; number++) await addKey(store, number);
  await store.close();
  return dataDir;
}

async function newBackup(keys: number): Promise<string> {
  const file = join(newDirectory(), 'backup');
  await backUpSqlite(await newStore(keys), file, quiet);
  return file;
}

/** Restores without a look at any token. */
async function restore(file: string, dataDir: string): Promise<string | undefined> {
  const staged = await stageStore(file, dataDir, false);
  try {
    return await staged.putInPlace();
  } finally {
    await staged.discard();
  }
}

const keysIn = (file: string): number => {
  const database = new SQLite(file);
  try {
    return Number(database.prepare('select count(*) from keys').pluck().get());
  } finally {
    database.close();
  }
};

describe('a restored store', () => {
  it('takes the place of the one that was there, which is kept', async () => {
    const dataDir = await newStore(1);
    const previous = await restore(await newBackup(3), dataDir);
    expect(previous).toMatch(/p11kms\.sqlite\.before-restore-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/);
    expect(keysIn(fileIn(dataDir))).toBe(3);
    expect(keysIn(String(previous))).toBe(1);
    for (const file of [fileIn(dataDir), String(previous)]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir)).toHaveLength(2);
  });

  it('goes where there was none', async () => {
    const dataDir = newDirectory();
    expect(await restore(await newBackup(3), dataDir)).toBeUndefined();
    expect(readdirSync(dataDir)).toEqual(['p11kms.sqlite']);
    expect(keysIn(fileIn(dataDir))).toBe(3);
  });

  it('is not touched by what a killed service had written ahead, and that is kept with the old store', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    await store.identity.read();
    await addKey(store, 1);
    // As a service leaves them that is killed: the key is in the -wal.
    const killed = newDirectory();
    for (const suffix of ['', '-wal', '-shm'])
      copyFileSync(fileIn(dataDir) + suffix, fileIn(killed) + suffix);
    const previous = await restore(await newBackup(3), killed);
    expect(keysIn(fileIn(killed))).toBe(3);
    expect(keysIn(String(previous))).toBe(1);
  });

  it('is not touched by the remains of a store whose file is gone', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    await store.identity.read();
    await addKey(store, 1);
    const orphaned = newDirectory();
    copyFileSync(`${fileIn(dataDir)}-wal`, `${fileIn(orphaned)}-wal`);
    const wal = readFileSync(`${fileIn(dataDir)}-wal`);
    await restore(await newBackup(3), orphaned);
    expect(keysIn(fileIn(orphaned))).toBe(3);
    const kept = readdirSync(orphaned).find((name) => name.endsWith('-wal')) ?? '';
    expect(readFileSync(join(orphaned, kept)).equals(wal)).toBe(true);
  });

  it('takes the place of a damaged one, which is kept as it was', async () => {
    const dataDir = newDirectory();
    const damaged = 'not a database '.repeat(1_000);
    writeFileSync(fileIn(dataDir), damaged);
    const previous = await restore(await newBackup(3), dataDir);
    expect(keysIn(fileIn(dataDir))).toBe(3);
    expect(readFileSync(String(previous), 'utf8')).toBe(damaged);
  });

  it('can be restored after a restore that was killed', async () => {
    const dataDir = await newStore(1);
    mkdirSync(join(dataDir, 'restore.tmp'));
    writeFileSync(join(dataDir, 'restore.tmp/p11kms.sqlite'), 'half of something');
    await restore(await newBackup(3), dataDir);
    expect(keysIn(fileIn(dataDir))).toBe(3);
    expect(existsSync(join(dataDir, 'restore.tmp'))).toBe(false);
  });

  it('is brought up to date, and its backup is left as it is', async () => {
    const file = join(newDirectory(), 'old');
    const database = new SQLite(file);
    const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) });
    const getMigrations = async () => ({ '0001-symmetric-keys': symmetricKeys });
    await new Migrator({ db, provider: { getMigrations } }).migrateToLatest();
    database.exec("insert into store values (1, '0123456789ab', 'service', 'active', 1)");
    await db.destroy();
    const before = readFileSync(file);
    const dataDir = newDirectory();
    await restore(file, dataDir);
    expect((await (await open(dataDir)).recovery.read()).store).toMatchObject({
      id: '0123456789ab',
      heartbeat_at: null,
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('is not put in place where another process has the old one open', async () => {
    const dataDir = newDirectory();
    const other = await open(dataDir);
    await other.identity.read();
    await addKey(other, 1);
    const { message } = await startErrorOf(restore(await newBackup(3), dataDir));
    expect(message).toContain('is in use by another process');
    expect((await other.keys.list(10)).length).toBe(1);
    expect(readdirSync(dataDir).filter((name) => !name.startsWith('p11kms.sqlite'))).toEqual([]);
  });

  it('is looked at without a trace in the data directory', async () => {
    const dataDir = newDirectory();
    const staged = await stageStore(await newBackup(3), dataDir, true);
    expect(await staged.store.keys.list(10)).toHaveLength(3);
    await staged.discard();
    expect(readdirSync(dataDir)).toEqual([]);
  });
});

describe('stageStore refuses, changing nothing,', () => {
  async function refusalOf(file: string): Promise<string> {
    const dataDir = newDirectory();
    const { message, exitCode } = await startErrorOf(stageStore(file, dataDir, false));
    expect(exitCode).toBe(1);
    expect(message).toMatch(new RegExp(`^${file} cannot be restored: `));
    expect(message).not.toContain('\n');
    expect(readdirSync(dataDir)).toEqual([]);
    return message;
  }

  it('a file that is not there', async () => {
    expect(await refusalOf(join(newDirectory(), 'nothing'))).toContain('there is no such file');
  });

  it('a directory', async () => {
    expect(await refusalOf(newDirectory())).toContain('not a regular file');
  });

  it('a file of something else', async () => {
    const file = join(newDirectory(), 'garbage');
    writeFileSync(file, 'garbage '.repeat(1_000));
    expect(await refusalOf(file)).toContain('file is not a database');
  });

  it('an empty file', async () => {
    const file = join(newDirectory(), 'empty');
    writeFileSync(file, '');
    expect(await refusalOf(file)).toContain('not a store of p11kms');
  });

  it("somebody else's database", async () => {
    const file = join(newDirectory(), 'other');
    const database = new SQLite(file);
    database.exec('create table store (id text); create table shelves (id text)');
    database.close();
    expect(await refusalOf(file)).toContain('not a store of p11kms');
  });

  it('a backup with a damaged page', async () => {
    const file = await newBackup(200);
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096 * 5, 4096 * 9);
    writeFileSync(file, bytes);
    expect(await refusalOf(file)).toMatch(/damaged|malformed/);
  });

  it('a backup that was cut off', async () => {
    const file = await newBackup(200);
    writeFileSync(file, readFileSync(file).subarray(0, 4096 * 7));
    expect(await refusalOf(file)).toMatch(/damaged|malformed/);
  });

  it('a store of a newer p11kms', async () => {
    const dataDir = await newStore(1);
    withDatabase(dataDir, (database) => {
      database.pragma('journal_mode = DELETE');
      database.exec("insert into kysely_migration values ('9999-newer', '2099-01-01')");
    });
    expect(await refusalOf(fileIn(dataDir))).toContain(
      'a newer p11kms has written it (migration 9999-newer): run that one',
    );
  });

  it('a part of a store: a file whose last writes are in another one', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    await store.identity.read();
    expect(await refusalOf(fileIn(dataDir))).toContain(`a part of it is in ${fileIn(dataDir)}-wal`);
  });

  it('the store itself, whatever it is called', async () => {
    const dataDir = await newStore(1);
    const name = join(newDirectory(), 'link');
    linkSync(fileIn(dataDir), name);
    const { message } = await startErrorOf(stageStore(name, dataDir, false));
    expect(message).toContain('it is the store itself');
    expect(keysIn(fileIn(dataDir))).toBe(1);
  });
});
