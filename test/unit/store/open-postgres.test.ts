import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { DatabaseUrl } from '../../../src/config/database-url';
import { openPostgres } from '../../../src/store/postgres';
import { openStore, type Store, storeExists } from '../../../src/store/store';
import { type Postgres, postgres } from '../../support/postgres';
import { addKey, engines, idOf, newDirectory, open, startErrorOf } from './fixture';

let server: Postgres;

beforeAll(async () => {
  server = await postgres();
});

const newDatabase = async (options?: string) => new DatabaseUrl(await server.createDatabase(options));
const UNAVAILABLE = {
  name: 'KmsError',
  code: 'TOKEN_TIMEOUT',
  message: 'The store does not answer. Try again.',
};

/** With another part. */
function changed(address: DatabaseUrl, part: 'port' | 'pathname' | 'password', value: string) {
  const url = new URL(address.reveal());
  url[part] = value;
  return new DatabaseUrl(url.href);
}

async function openEngine(address: DatabaseUrl) {
  const engine = await openPostgres(address);
  closing.push(() => engine.close());
  return engine;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('openStore on PostgreSQL', () => {
  it('says who it is, and lets no statement and no transaction last for ever', async () => {
    const { db } = await openEngine(await newDatabase());
    const show = async (setting: string) => {
      const { rows } = await sql<{ value: string }>`select current_setting(${setting}) as value`.execute(db);
      return rows[0]?.value;
    };
    expect(await show('application_name')).toBe('p11kms');
    expect(await show('statement_timeout')).toBe('10s');
    expect(await show('idle_in_transaction_session_timeout')).toBe('30s');
    expect(await show('tcp_keepalives_idle')).toBe('30');
    expect(await show('client_encoding')).toBe('UTF8');
  });

  it('takes the password from the file that PGPASSFILE names', async () => {
    const address = await newDatabase();
    const file = join(newDirectory(), 'pgpass');
    writeFileSync(file, `127.0.0.1:${server.port}:*:p11kms:${server.password}\n`, { mode: 0o600 });
    process.env.PGPASSFILE = file;
    try {
      await (await open(changed(address, 'password', ''))).ping();
    } finally {
      delete process.env.PGPASSFILE;
    }
  });

  it('hands out times, counts and sums as numbers, as SQLite does', async () => {
    for (const { newAddress, database } of engines) {
      const address = await newAddress();
      await addKey(await open(address), 1);
      const { sum, count, max } = database(address).fn;
      const totals = database(address)
        .selectFrom('key_versions')
        .select([sum('created_at').as('sum'), count('key_id').as('count'), max('created_at').as('max')]);
      // The store's own connections, not the test's.
      const { db } =
        typeof address === 'string' ? { db: database(address) } : await openEngine(address as DatabaseUrl);
      const row = (await db.executeQuery(totals.compile())).rows[0];
      expect(row).toEqual({ sum: expect.any(Number), count: 1, max: expect.any(Number) });
    }
  });

  it('keeps the tables of two schemas in one database apart', async () => {
    const address = await newDatabase();
    const inSchema = (name: string) =>
      new DatabaseUrl(`${address.reveal()}?options=-c%20search_path%3D${name}`);
    await server.admin(
      'create schema a authorization p11kms; create schema b authorization p11kms',
      address.name.split('/').pop(),
    );
    const stores = [await open(inSchema('a')), await open(inSchema('b'))];
    const [a, b] = await Promise.all(stores.map((store) => store.identity.read()));
    expect(a?.id).not.toBe(b?.id);
  });
});

describe('openStore on PostgreSQL refuses, naming the database and not the password,', () => {
  async function refusalOf(address: DatabaseUrl): Promise<string> {
    for (const attempt of [openStore(address), storeExists(address)]) {
      const error = await startErrorOf(attempt);
      expect(error.message).not.toContain('\n');
      expect(error.message).toContain(`the store ${address.name} cannot be used: `);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(
        new URL(address.reveal()).password,
      );
    }
    return (await startErrorOf(openStore(address))).message;
  }

  it('a wrong password', async () => {
    const address = changed(await newDatabase(), 'password', 'not-the-password');
    expect(await refusalOf(address)).toContain('password authentication failed for user "p11kms"');
  });

  it('a server that is not there', async () => {
    const address = changed(await newDatabase(), 'port', '1');
    expect(await refusalOf(address)).toContain('ECONNREFUSED');
  });

  it('a database that is not there', async () => {
    const address = changed(await newDatabase(), 'pathname', '/nowhere');
    expect(await refusalOf(address)).toContain('database "nowhere" does not exist');
  });

  it('a server that accepts the connection and says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const address = changed(await newDatabase(), 'port', String(port));
    const { message } = await startErrorOf(openStore(address));
    expect(message).toContain('timeout');
    silent.close();
  });
});

describe('openStore on PostgreSQL refuses', () => {
  it('a database of another encoding', async () => {
    const address = await newDatabase(`template template0 encoding 'LATIN1' locale 'C'`);
    expect((await startErrorOf(openStore(address))).message).toBe(
      `the store ${address.name} cannot be used: its encoding is LATIN1, and must be UTF8`,
    );
  });

  it('a database that can only be read', async () => {
    const address = await newDatabase();
    const readOnly = new DatabaseUrl(`${address.reveal()}?options=-c%20default_transaction_read_only%3Don`);
    expect((await startErrorOf(openStore(readOnly))).message).toContain('it can only be read');
  });

  it('a search path that leads nowhere', async () => {
    const address = await newDatabase();
    const nowhere = new DatabaseUrl(`${address.reveal()}?options=-c%20search_path%3Dnowhere`);
    expect((await startErrorOf(openStore(nowhere))).message).toContain('no schema of its search_path exists');
  });
});

describe('storeExists on PostgreSQL', () => {
  it('looks, and makes nothing', async () => {
    const address = await newDatabase();
    expect(await storeExists(address)).toBe(false);
    expect(await storeExists(address)).toBe(false);
    await open(address);
    expect(await storeExists(address)).toBe(true);
  });
});

describe('a store on PostgreSQL', () => {
  let store: Store;

  beforeEach(async () => {
    store = await open(await newDatabase());
    await addKey(store, 1);
  });

  it('fails while the server is away, and works again when that is back', async () => {
    // Several idle connections break at once.
    await Promise.all([1, 2, 3].map(() => store.keys.find(idOf(1))));
    await server.stop();
    try {
      await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
      await expect(store.keys.find(idOf(1))).rejects.toMatchObject(UNAVAILABLE);
      await expect(addKey(store, 2)).rejects.toMatchObject(UNAVAILABLE);
      await expect(store.exclusively('start', async () => 'done')).rejects.toMatchObject(UNAVAILABLE);
    } finally {
      await server.start();
    }
    await store.ping();
    expect(await store.keys.find(idOf(1))).toMatchObject({ state: 'enabled' });
    await addKey(store, 2);
  });

  it('fails where the server ends the connection in the middle of a transaction, which leaves nothing', async () => {
    const { db } = await openEngine(await newDatabase());
    const transaction = db.transaction().execute(async (tx) => {
      await tx
        .insertInto('store')
        .values({
          id: 'x',
          service_key_object: 'y',
          service_key_state: 'active',
          created_at: 1,
          usage_tracked_since: 1,
        })
        .execute();
      await server.admin(
        `select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'`,
      );
      await tx.selectFrom('store').selectAll().execute();
    });
    await expect(transaction).rejects.toMatchObject(UNAVAILABLE);
    expect(await db.selectFrom('store').selectAll().execute()).toEqual([]);
  });

  it('gives up on a connection that hangs, and takes another one', async () => {
    const { db, ping } = await openEngine(await newDatabase());
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
    const pid = rows[0]?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      await expect(ping()).rejects.toMatchObject(UNAVAILABLE);
      await ping();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('rejects a statement that takes too long as one that can be tried again', async () => {
    const address = await newDatabase();
    const { db } = await openEngine(new DatabaseUrl(`${address.reveal()}?statement_timeout=50`));
    await expect(sql`select pg_sleep(5)`.execute(db)).rejects.toMatchObject(UNAVAILABLE);
    await sql`select 1`.execute(db);
  });

  it('does not answer when it is closed', async () => {
    const other = await openStore(await newDatabase());
    await other.close();
    await expect(other.ping()).rejects.toThrow();
    await other.close();
  });
});
