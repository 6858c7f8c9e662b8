import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { openStore, storeExists } from '../../../src/store/store';
import { addKey, fileIn, idOf, newDirectory, newKey, open, startErrorOf, withDatabase } from './fixture';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** How often this process has files in the directory open. */
const openFilesIn = (directory: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd)).startsWith(directory);
    } catch {
      return false;
    }
  }).length;

describe('openStore on SQLite', () => {
  it('makes the directory and the files for their owner alone', async () => {
    const dataDir = join(newDirectory(), 'some', 'where');
    const umask = process.umask(0o022);
    try {
      await addKey(await open(dataDir), 1);
      expect(modeOf(dataDir)).toBe('700');
      const files = readdirSync(dataDir).sort();
      expect(files).toEqual(['p11kms.sqlite', 'p11kms.sqlite-shm', 'p11kms.sqlite-wal']);
      expect(files.map((file) => modeOf(join(dataDir, file)))).toEqual(['600', '600', '600']);
    } finally {
      process.umask(umask);
    }
  });

  it('takes the store from others who could read it', async () => {
    const dataDir = newDirectory();
    writeFileSync(fileIn(dataDir), '', { mode: 0o644 });
    await open(dataDir);
    expect(modeOf(fileIn(dataDir))).toBe('600');
  });

  it('writes ahead, so that readers do not wait, and keeps foreign keys', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    await store.ping();
    expect(withDatabase(dataDir, (database) => database.pragma('journal_mode', { simple: true }))).toBe(
      'wal',
    );
    await store.versions.beginKey(newKey(1));
    const row = ['alias/app', idOf(1), 0, 0];
    withDatabase(dataDir, (database) => database.prepare('INSERT INTO aliases VALUES (?, ?, ?, ?)').run(row));
    await store.versions.claimRemoval({ keyId: idOf(1), number: 1 });
    await expect(store.versions.forget({ keyId: idOf(1), number: 1 })).rejects.toMatchObject({
      code: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    });
  });

  it('leaves nothing open when it is closed', async () => {
    const dataDir = newDirectory();
    const store = await openStore(dataDir);
    expect(openFilesIn(dataDir)).toBeGreaterThan(0);
    await store.close();
    expect(openFilesIn(dataDir)).toBe(0);
    await expect(store.ping()).rejects.toThrow();
  });
});

describe('openStore on SQLite refuses, naming the file and leaving nothing open,', () => {
  async function refusalOf(dataDir: string): Promise<string> {
    const { message, exitCode } = await startErrorOf(openStore(dataDir));
    expect(exitCode).toBe(1);
    expect(message).not.toContain('\n');
    expect(message).toContain(`the store ${fileIn(dataDir)} cannot be used: `);
    expect(openFilesIn(dataDir)).toBe(0);
    return message;
  }

  it('a file that is no database', async () => {
    const dataDir = newDirectory();
    writeFileSync(fileIn(dataDir), 'These are not the bytes that you are looking for.\n'.repeat(100));
    expect(await refusalOf(dataDir)).toContain('file is not a database');
  });

  it('a store that was cut off', async () => {
    const dataDir = newDirectory();
    const store = await openStore(dataDir);
    for (let number = 0; number < 100; number++) await addKey(store, number);
    await store.close();
    truncateSync(fileIn(dataDir), 4096);
    expect(await refusalOf(dataDir)).toContain('malformed');
  });

  it('a directory in the place of the file', async () => {
    const dataDir = newDirectory();
    mkdirSync(fileIn(dataDir));
    expect(await refusalOf(dataDir)).toContain('unable to open database file');
  });

  it('a file in the place of the directory', async () => {
    const dataDir = join(newDirectory(), 'file');
    writeFileSync(dataDir, '');
    expect(await refusalOf(dataDir)).toContain('EEXIST');
  });

  it('a store that another process holds for longer than it waits', async () => {
    const dataDir = newDirectory();
    await (await openStore(dataDir)).close();
    const holder = new SQLite(fileIn(dataDir));
    try {
      holder.exec('BEGIN IMMEDIATE');
      const begun = performance.now();
      expect((await startErrorOf(openStore(dataDir))).message).toContain('database is locked');
      expect(performance.now() - begun).toBeGreaterThan(4_900);
    } finally {
      holder.close();
    }
    await (await openStore(dataDir)).close();
  });
});

describe('storeExists on SQLite', () => {
  it('looks, and makes nothing', async () => {
    const dataDir = join(newDirectory(), 'data');
    expect(await storeExists(dataDir)).toBe(false);
    expect(existsSync(dataDir)).toBe(false);
    await open(dataDir);
    expect(await storeExists(dataDir)).toBe(true);
  });
});
