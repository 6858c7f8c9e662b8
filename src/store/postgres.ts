/** The store in a database of PostgreSQL, for several services at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { DatabaseError, type Pool } from 'pg';
import { KmsError, StartError } from '../errors';
import { putAuditHead } from './audit';
import type { Engine, ExclusiveWork } from './engine';
import { tookTooLong } from './exclusively';
import { migrate } from './migrations';
import { borrow, createPool, type Loan, lendingPool } from './postgres-pool';
import type { Database } from './schema';

/** A database, by a URL that may hold a password. */
export interface DatabaseAddress {
  /** What people may see of it. */
  readonly name: string;
  /** The URL, with the password in it. */
  reveal(): string;
}

/** The connections of one service: token workers and not the store are what requests wait for. */
const CONNECTIONS = 10;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Those who start at the same time wait for the first to have made the tables. */
const START_STATEMENT_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 2_000;
/** What the answer to a lock that was waited for may take to get here. */
const LOCK_ANSWER_MS = 5_000;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Whether p11kms has made its tables in the database.
 *
 * @throws StartError where the database cannot be used
 */
export function postgresExists(address: DatabaseAddress): Promise<boolean> {
  return briefly(address, async (db) => {
    const { rows } = await sql<{
      found: boolean;
    }>`select to_regclass('key_versions') is not null as found`.execute(db);
    return rows[0]?.found === true;
  });
}

/**
 * Opens the store in a database, makes its tables where there are none, and brings them up to date.
 *
 * @throws StartError
 */
export async function openPostgres(address: DatabaseAddress): Promise<Engine> {
  await briefly(address, async (db) => {
    const schema = await usableSchema(db);
    // All of it or nothing, in a transaction; one process at a time, by a lock that Kysely takes.
    await migrate(db, schema);
  });
  return engineOf(
    createPool(address.reveal(), { connections: CONNECTIONS, statementMs: STATEMENT_TIMEOUT_MS }),
  );
}

/** Uses the database on one connection, with patience. */
async function briefly<T>(address: DatabaseAddress, use: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  let pool: Pool | undefined;
  try {
    pool = createPool(address.reveal(), { connections: 1, statementMs: START_STATEMENT_TIMEOUT_MS });
    return await use(kyselyOn(pool));
  } catch (error) {
    throw new StartError(`the store ${address.name} cannot be used: ${reasonOf(error)}`, undefined, {
      cause: error,
    });
  } finally {
    await pool?.end();
  }
}

const kyselyOn = (pool: Pool): Kysely<Database> =>
  new Kysely<Database>({ dialect: new PostgresDialect({ pool: lendingPool(pool) }) });

/** The schema that new tables come to. Throws where the database will not do. */
async function usableSchema(db: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ encoding: string; read_only: string; schema: string | null }>`
    select
      current_setting('server_encoding') as encoding,
      current_setting('transaction_read_only') as read_only,
      current_schema() as schema
  `.execute(db);
  const { encoding, read_only, schema } = rows[0] ?? {};
  if (encoding !== 'UTF8') throw new Error(`its encoding is ${encoding}, and must be UTF8`);
  if (read_only !== 'off') throw new Error('it can only be read');
  if (!schema) throw new Error('no schema of its search_path exists');
  return schema;
}

/** On one line, and of what lies below what a client would be told. */
function reasonOf(error: unknown): string {
  if (error instanceof KmsError && error.cause !== undefined) return reasonOf(error.cause);
  // What a host with several addresses, none of which answers, comes to: it has no message.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, ' ');
}

function engineOf(pool: Pool): Engine {
  const db = kyselyOn(pool);
  return {
    db,
    putAuditHead: (chain, sequence, hash) => putAuditHead(db, chain, sequence, hash),
    ping: () => ping(pool),
    alone: (name, waitMs, work) => alone(pool, name, waitMs, work),
    isShared: () => isShared(pool),
    async close() {
      if (!pool.ending) await pool.end();
    },
  };
}

async function ping(pool: Pool): Promise<void> {
  const connection = await borrow(pool);
  try {
    await connection.query({ text: 'select 1', query_timeout: PING_TIMEOUT_MS });
  } finally {
    connection.release();
  }
}

/**
 * Whether anybody else in p11kms's name is connected: a service always is, as it looks for its duties every few
 * seconds. What has just been closed, a connection of our own for one, may be seen for a moment longer.
 */
async function isShared(pool: Pool): Promise<boolean> {
  for (let looks = 0; looks < 10; looks++) {
    const connection = await borrow(pool);
    try {
      if ((await connection.query(OTHERS)).rows.length === 0) return false;
    } finally {
      connection.release();
    }
    await sleep(200);
  }
  return true;
}

const OTHERS = `
  select pid from pg_stat_activity
  where application_name = 'p11kms' and pid <> pg_backend_pid()
    and datname = current_database() and usename = current_user`;

/**
 * By a lock that PostgreSQL keeps for as long as the connection lives, and gives to those who wait in the order of
 * their coming. Each schema has its own.
 */
async function alone<T>(pool: Pool, name: ExclusiveWork, waitMs: number, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + waitMs;
  const key = `hashtextextended('p11kms ${name} ' || current_schema(), 0)`;
  const connection = await borrow(pool);
  try {
    await lock(connection, key, Math.max(1, Math.ceil(until - performance.now())));
  } catch (error) {
    connection.drop();
    throw error;
  }
  try {
    return await work();
  } finally {
    await unlock(connection, key);
  }
}

async function lock(connection: Loan, key: string, limitMs: number): Promise<void> {
  const statements = [
    'begin',
    'set local statement_timeout = 0',
    `set local lock_timeout = ${limitMs}`,
    `select pg_advisory_lock(${key})`,
    'commit',
  ];
  try {
    await connection.query({ text: statements.join('; '), query_timeout: limitMs + LOCK_ANSWER_MS });
  } catch (error) {
    throw error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE ? tookTooLong(error) : error;
  }
}

/** A lock that cannot be given back goes with its connection. The work is done either way. */
async function unlock(connection: Loan, key: string): Promise<void> {
  try {
    const { rows } = await connection.query(`select pg_advisory_unlock(${key}) as unlocked`);
    if (rows[0]?.unlocked === true) connection.release();
    else connection.drop();
  } catch {
    connection.drop();
  }
}
