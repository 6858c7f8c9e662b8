import { type Kysely, sql } from 'kysely';
import type { Database } from '../../../src/store/schema';
import { openStore } from '../../../src/store/store';
import { addKey, engines, idOf, placeOf, startErrorOf } from './fixture';
import { ended, inProcess, messageOf } from './processes';

const TABLES = [
  'access_keys',
  'aliases',
  'audit_chains',
  'client_keys',
  'grants',
  'key_tags',
  'key_usage',
  'key_versions',
  'keys',
  'principal_policies',
  'principals',
  'store',
];
const MIGRATIONS = [
  '0001-symmetric-keys',
  '0002-key-life-cycle',
  '0003-access-and-audit',
  '0004-client-keys',
];

/** All tables and their columns. */
const schemaOf = (db: Kysely<Database>) => db.introspection.getTables({ withInternalKyselyTables: true });

const tablesOf = async (db: Kysely<Database>): Promise<string[]> =>
  (await db.introspection.getTables()).map(({ name }) => name).sort();

async function migrationsOf(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

describe.each(engines)('migrations on $name', ({ open, newAddress, database }) => {
  it('make every table of the schema where there is nothing', async () => {
    const address = await newAddress();
    await (await openStore(address)).close();
    expect(await tablesOf(database(address))).toEqual(TABLES);
    expect(await migrationsOf(database(address))).toEqual(MIGRATIONS);
  });

  it('change nothing the second time', async () => {
    const address = await newAddress();
    const first = await openStore(address);
    await addKey(first, 1);
    const identity = await first.identity.read();
    await first.close();
    const schema = await schemaOf(database(address));
    const second = await open(address);
    expect(await schemaOf(database(address))).toEqual(schema);
    expect(await second.keys.find(idOf(1))).toMatchObject({ description: 'key 1' });
    expect(await second.identity.read()).toEqual(identity);
  });

  it('bring a store of before client keys up to date, and lose nothing of it', async () => {
    const address = await newAddress();
    const before = await openStore(address);
    await before.principals.createRoot({ id: 'R1', sealed_secret: 'sealed' });
    await before.close();
    await sql`drop table client_keys`.execute(database(address));
    await sql`delete from kysely_migration where name = '0004-client-keys'`.execute(database(address));
    const store = await open(address);
    expect(await migrationsOf(database(address))).toEqual(MIGRATIONS);
    const clientKey = { id: 'K1', public_key: 'public', created_at: 1, expires_at: 2 };
    await expect(store.clientKeys.create('root', clientKey)).resolves.toBe('done');
  });

  it('refuse a store that a newer p11kms has written, and leave it as it is', async () => {
    const address = await newAddress();
    await (await openStore(address)).close();
    const db = database(address);
    await sql`insert into kysely_migration values ('0099-from-the-future', '2030-01-01')`.execute(db);
    await sql`create table future (x integer)`.execute(db);
    const schema = await schemaOf(db);
    expect((await startErrorOf(openStore(address))).message).toBe(
      `the store ${placeOf(address)} cannot be used: a newer p11kms has written it (migration 0099-from-the-future): run that one`,
    );
    expect(await schemaOf(db)).toEqual(schema);
    expect(await migrationsOf(db)).toEqual([...MIGRATIONS, '0099-from-the-future']);
  });

  it('are done whole or not at all', async () => {
    const address = await newAddress();
    const db = database(address);
    // The last table of the last migration is in the way, so all others have been made when it fails.
    await sql`create table client_keys (in_the_way integer)`.execute(db);
    expect((await startErrorOf(openStore(address))).message).toContain('"client_keys" already exists');
    expect(await tablesOf(db)).toEqual(['client_keys']);
    await sql`drop table client_keys`.execute(db);
    await addKey(await open(address), 1);
  });

  it('are done once where several processes begin at once', async () => {
    const address = await newAddress();
    const processes = [1, 2, 3].map(() => inProcess('open', address));
    await Promise.all(processes.map(messageOf));
    for (const child of processes) child.send('open');
    const answers = await Promise.all(processes.map(messageOf));
    await Promise.all(processes.map(ended));
    const store = await open(address);
    const { id } = await store.identity.read();
    expect(answers).toEqual([{ id }, { id }, { id }]);
  });

  it('leave nothing behind where a crash cuts them short', async () => {
    const address = await newAddress();
    const child = inProcess('open', address, 'crash-at:create table "client_keys"');
    await messageOf(child);
    child.send('open');
    expect(await ended(child)).toBe('SIGKILL');
    expect(await tablesOf(database(address))).toEqual([]);
    await addKey(await open(address), 1);
  });
});
