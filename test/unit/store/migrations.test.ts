import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { openStore } from '../../../src/store/store';
import { addKey, fileIn, idOf, newDirectory, open, startErrorOf, withDatabase } from './fixture';

const schemaOf = (dataDir: string): unknown[] =>
  withDatabase(dataDir, (database) =>
    database.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY name').all(),
  );

const migrationsOf = (dataDir: string): unknown[] =>
  withDatabase(dataDir, (database) => database.prepare('SELECT name FROM kysely_migration').pluck().all());

describe('migrations', () => {
  it('make every table of the schema in an empty file', async () => {
    const dataDir = newDirectory();
    await (await openStore(dataDir)).close();
    const tables = withDatabase(dataDir, (database) =>
      database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'kysely%' ORDER BY 1")
        .pluck()
        .all(),
    );
    expect(tables).toEqual(['aliases', 'key_versions', 'keys', 'store']);
    expect(migrationsOf(dataDir)).toEqual(['0001-symmetric-keys']);
  });

  it('change nothing the second time', async () => {
    const dataDir = newDirectory();
    const first = await openStore(dataDir);
    await addKey(first, 1);
    const identity = await first.identity.read();
    await first.close();
    const schema = schemaOf(dataDir);
    const second = await open(dataDir);
    expect(schemaOf(dataDir)).toEqual(schema);
    expect(await second.keys.find(idOf(1))).toMatchObject({ description: 'key 1' });
    expect(await second.identity.read()).toEqual(identity);
  });

  it('refuse a store that a newer p11kms has written, and leave it as it is', async () => {
    const dataDir = newDirectory();
    await (await openStore(dataDir)).close();
    withDatabase(dataDir, (database) =>
      database.exec(
        "INSERT INTO kysely_migration VALUES ('0099-from-the-future', '2030-01-01'); CREATE TABLE future (x)",
      ),
    );
    const schema = schemaOf(dataDir);
    expect((await startErrorOf(openStore(dataDir))).message).toBe(
      `the store ${fileIn(dataDir)} cannot be used: a newer p11kms has written it (migration 0099-from-the-future): run that one`,
    );
    expect(schemaOf(dataDir)).toEqual(schema);
    expect(migrationsOf(dataDir)).toEqual(['0001-symmetric-keys', '0099-from-the-future']);
  });

  it('are done whole or not at all', async () => {
    const dataDir = newDirectory();
    // The last table of the migration is in the way, so the tables before it have been made when it fails.
    withDatabase(dataDir, (database) => database.exec('CREATE TABLE aliases (in_the_way)'));
    const before = schemaOf(dataDir);
    expect((await startErrorOf(openStore(dataDir))).message).toContain('table "aliases" already exists');
    expect(schemaOf(dataDir)).toEqual(before);
    withDatabase(dataDir, (database) => database.exec('DROP TABLE aliases'));
    await addKey(await open(dataDir), 1);
  });

  it('are done once where several processes begin at once', async () => {
    const dataDir = newDirectory();
    const script = join(__dirname, 'open-in-process.cjs');
    const processes = [1, 2, 3].map(() => fork(script, [dataDir], { timeout: 30_000 }));
    await Promise.all(processes.map((child) => once(child, 'message')));
    for (const child of processes) child.send('open');
    const answers = await Promise.all(processes.map(async (child) => (await once(child, 'message'))[0]));
    await Promise.all(processes.map((child) => child.exitCode ?? once(child, 'exit')));
    const store = await open(dataDir);
    const { id } = await store.identity.read();
    expect(answers).toEqual([{ id }, { id }, { id }]);
  });
});

it('a crash in the middle of a migration leaves nothing of it', async () => {
  const dataDir = newDirectory();
  const script = join(__dirname, 'open-in-process.cjs');
  const child = fork(script, [dataDir, 'crash-at:create table "aliases"'], { timeout: 30_000 });
  await once(child, 'message');
  child.send('open');
  const [code, signal] = await once(child, 'exit');
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  const left = new SQLite(fileIn(dataDir));
  expect(left.prepare('SELECT name FROM sqlite_master').pluck().all()).toEqual([]);
  left.close();
  await addKey(await open(dataDir), 1);
});
