import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { backUpSqlite } from '../../../src/store/backup';
import { addKey, fileIn, newDirectory, open, startErrorOf, withDatabase } from './fixture';

const quiet = () => ({ signal: new AbortController().signal, onProgress: () => undefined });

async function newStore(keys = 3): Promise<string> {
  const dataDir = newDirectory();
  const store = await open(dataDir);
  await store.identity.read();
  for (let number = 1; number <= keys; number++) await addKey(store, number);
  return dataDir;
}

/** Makes a store so large that a backup takes many steps. */
function fill(dataDir: string, megabytes: number): void {
  withDatabase(dataDir, (database) => {
    database.exec('create table ballast (bytes blob)');
    for (let count = 0; count < megabytes; count++)
      database.exec('insert into ballast values (randomblob(1000000))');
  });
}

describe('backUpSqlite', () => {
  it('makes one whole file, for its owner alone, and says what is in it', async () => {
    const dataDir = await newStore();
    const directory = newDirectory();
    const file = join(directory, 'backup');
    const umask = process.umask(0);
    const made = await backUpSqlite(dataDir, file, quiet()).finally(() => process.umask(umask));
    const { size, mode } = statSync(file);
    expect(made).toEqual({ storeId: expect.stringMatching(/^[0-9a-f]{12}$/), keys: 3, bytes: size });
    expect(mode & 0o777).toBe(0o600);
    const database = new SQLite(file, { readonly: true });
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    database.close();
    // Looking at it has made no other files, as it would beside a store that writes ahead.
    expect(readdirSync(directory)).toEqual(['backup']);
  });

  it('is of one moment and comes to its end, however much is written meanwhile', async () => {
    const dataDir = await newStore();
    fill(dataDir, 20);
    const writer = new SQLite(fileIn(dataDir));
    let written = 0;
    const progress: number[] = [];
    const onProgress = (done: number) => {
      progress.push(done);
      writer.exec("update keys set description = 'changed'; insert into ballast values (randomblob(5000))");
      written++;
    };
    const file = join(newDirectory(), 'backup');
    await backUpSqlite(dataDir, file, { ...quiet(), onProgress });
    writer.close();
    expect(written).toBeGreaterThan(3);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const database = new SQLite(file);
    expect(database.prepare("select count(*) from keys where description = 'changed'").pluck().get()).toBe(0);
    expect(database.prepare('select count(*) from ballast').pluck().get()).toBe(20);
    database.close();
  });

  it('needs no right to write to the data directory of a running service', async () => {
    const dataDir = await newStore();
    const directory = newDirectory();
    for (const name of readdirSync(dataDir)) chmodSync(join(dataDir, name), 0o444);
    chmodSync(dataDir, 0o555);
    chmodSync(directory, 0o777);
    const file = join(directory, 'backup');
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await backUpSqlite(dataDir, file, quiet())).toMatchObject({ keys: 3 });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(dataDir, 0o700);
    }
  });

  it('leaves nothing behind where it is interrupted', async () => {
    const dataDir = await newStore();
    fill(dataDir, 10);
    const directory = newDirectory();
    const interrupted = new AbortController();
    const watch = { signal: interrupted.signal, onProgress: () => interrupted.abort() };
    const { message } = await startErrorOf(backUpSqlite(dataDir, join(directory, 'backup'), watch));
    expect(message).toMatch(/^no backup was made in .*backup: interrupted$/);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('backUpSqlite refuses, leaving nothing behind,', () => {
  it.each<[string, (directory: string) => string, RegExp]>([
    [
      'a file that exists',
      (directory) => {
        writeFileSync(join(directory, 'taken'), 'mine');
        return 'taken';
      },
      /exists already/,
    ],
    [
      'a directory',
      (directory) => {
        mkdirSync(join(directory, 'folder'));
        return 'folder';
      },
      /exists already/,
    ],
    ['a directory that is not there', () => 'no/backup', /no backup was made in .*: ENOENT/],
  ])('%s', async (_what, prepare, why) => {
    const dataDir = await newStore();
    const directory = newDirectory();
    const name = prepare(directory);
    const before = readdirSync(directory);
    const { message, exitCode } = await startErrorOf(backUpSqlite(dataDir, join(directory, name), quiet()));
    expect(message).toMatch(why);
    expect(message).not.toContain('\n');
    expect(exitCode).toBe(1);
    expect(readdirSync(directory)).toEqual(before);
  });

  it('the names of the store itself', async () => {
    const dataDir = await newStore();
    for (const suffix of ['', '-wal', '-journal']) {
      const { message } = await startErrorOf(backUpSqlite(dataDir, fileIn(dataDir) + suffix, quiet()));
      expect(message).toMatch(/exists already|a name that the store needs/);
    }
  });

  it('a data directory without a store, and makes none', async () => {
    const dataDir = newDirectory();
    const { message } = await startErrorOf(backUpSqlite(dataDir, join(newDirectory(), 'backup'), quiet()));
    expect(message).toBe(`there is no store in ${dataDir} to back up`);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('a store that is damaged', async () => {
    const dataDir = newDirectory();
    const directory = newDirectory();
    writeFileSync(fileIn(dataDir), 'no database '.repeat(1_000));
    const { message } = await startErrorOf(backUpSqlite(dataDir, join(directory, 'backup'), quiet()));
    expect(message).toMatch(/no backup was made in .*: file is not a database/);
    expect(readdirSync(directory)).toEqual([]);
  });
});
