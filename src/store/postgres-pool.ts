import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { type CustomTypesConfig, DatabaseError, Pool, type QueryConfig, type QueryResult, types } from 'pg';
import { KmsError } from '../errors';

const CONNECT_TIMEOUT_MS = 5_000;
/** A server that is gone without a word answers nothing, not even its own time-out: this much later we stop waiting. */
const NETWORK_MS = 5_000;
const IDLE_MS = 60_000;
const IDLE_IN_TRANSACTION_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;
/** So that the server finds out in a minute that a service is gone, and gives its locks to others. */
const SERVER_KEEP_ALIVE = '-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3';

/**
 * What PostgreSQL says, by the beginnings of its codes, where not the statement is at fault: no connection, no
 * resources, a conflict with another transaction, a standby, a time-out, a shut-down, a broken disk.
 */
const UNAVAILABLE = /^(08|53|40|25006|57|58)/;

/** Connections to the database that a URL names. What the URL says of them counts more than what is said here. */
export function createPool(url: string, limits: { connections: number; statementMs: number }): Pool {
  const pool = new Pool({
    connectionString: url,
    max: limits.connections,
    statement_timeout: limits.statementMs,
    query_timeout: limits.statementMs + NETWORK_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'p11kms',
    options: SERVER_KEEP_ALIVE,
    types: { getTypeParser: typeParser as CustomTypesConfig['getTypeParser'] },
  });
  // A connection that breaks is replaced, and who uses it hears of it. Without listeners the process would end.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

function ignore(): void {}

/** Times and counters are far below 2^53, and so are sums of them, which PostgreSQL makes `numeric`. */
const typeParser: typeof types.getTypeParser = (type: number, format?: 'text' | 'binary') =>
  type === types.builtins.INT8 || type === types.builtins.NUMERIC
    ? Number
    : types.getTypeParser(type, format);

/** A query that says itself how long to wait for its answer. */
export interface PatientQuery extends QueryConfig {
  readonly query_timeout: number;
}

/** A connection on loan. */
export interface Loan {
  /** @throws KmsError TOKEN_TIMEOUT where the database is not to be had; DatabaseError for what it says otherwise */
  query(query: string | PatientQuery, values?: readonly unknown[]): Promise<QueryResult>;
  /** Gives the connection back for others to use, unless it broke. */
  release(): void;
  /** Closes the connection. */
  drop(): void;
}

/** @throws KmsError TOKEN_TIMEOUT where there is none to be had */
export async function borrow(pool: Pool): Promise<Loan> {
  const client = await connect(pool);
  let broken = false;
  return {
    async query(query, values) {
      try {
        return await client.query(query, values && [...values]);
      } catch (error) {
        // What the server did not say itself may come while the statement is still under way.
        broken ||= !(error instanceof DatabaseError);
        throw broken || isUnavailable(error) ? unavailable(error) : error;
      }
    },
    release: () => client.release(broken),
    drop: () => client.release(true),
  };
}

async function connect(pool: Pool) {
  try {
    return await pool.connect();
  } catch (error) {
    throw unavailable(error);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof DatabaseError && UNAVAILABLE.test(error.code ?? '');
}

const unavailable = (cause: unknown): KmsError =>
  new KmsError('TOKEN_TIMEOUT', 'The store does not answer. Try again.', { cause });

/** The pool as Kysely wants it, less its cursors. */
export const lendingPool = (pool: Pool): PostgresPool => ({
  async connect() {
    const { query, release } = await borrow(pool);
    return { query: query as unknown as PostgresPoolClient['query'], release };
  },
  end: () => pool.end(),
});
