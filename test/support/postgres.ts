import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { atEnd } from './at-end';
import { freePort, runToEnd } from './program';

const DEBIAN = '/usr/lib/postgresql';
const START_LIMIT_MS = 20_000;
const ROLE = 'p11kms';

/** A PostgreSQL server of this test file's own. */
export interface Postgres {
  /** The password of the role that owns the databases. */
  readonly password: string;
  readonly port: number;
  /** Makes an empty database, and returns its URL. `options` are those of CREATE DATABASE. */
  createDatabase(options?: string): Promise<string>;
  /** Runs statements as the superuser, in the named database. */
  admin(sql: string, database?: string): Promise<void>;
  /** Runs one of PostgreSQL's programs, pg_dump for one, to its end. */
  run(name: string, ...args: string[]): Promise<void>;
  /** Ends the server as an operator would, with everybody's connections. */
  stop(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
}

let started: Promise<Postgres> | undefined;

/** The server, which starts for whoever asks first, and ends with the test file. */
export function postgres(): Promise<Postgres> {
  started ??= startPostgres();
  return started;
}

// The server's end is the keeper's work: it hears the pipe close, also when the process of the tests is killed.
const KEEPER = `
  "$@" & server=$!
  if read -r order; then keep=1; fi
  kill -INT $server; wait $server
  [ -n "$keep" ] || rm -rf "$DIRECTORY"
`;

async function startPostgres(): Promise<Postgres> {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-pg-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  initialize(directory, port);
  const server = keeper(directory);
  atEnd(() => server.stop());

  const admin = async (sql: string, database = 'postgres') => {
    const client = new Client({ host: directory, port, user: 'postgres', database });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    server.start();
    await accepting(() => admin('select 1'), server.output);
  };
  await start();
  await admin(`create role ${ROLE} login password '${password}'`);
  let count = 0;
  const createDatabase = async (options = '') => {
    count += 1;
    await admin(`create database p11kms_${count} owner ${ROLE} ${options}`);
    return `postgres://${ROLE}:${password}@127.0.0.1:${port}/p11kms_${count}`;
  };
  const run = async (name: string, ...args: string[]) => {
    const { exitCode, output } = await runToEnd(program(name), args, { env: process.env });
    if (exitCode !== 0) throw new Error(`${name}: ${output}`);
  };
  return { password, port, createDatabase, admin, run, start, stop: server.stop };
}

/** For speed nothing is flushed to the disk: these databases survive a crash of the server, not of the machine. */
function initialize(directory: string, port: number): void {
  const settings = [
    `port = ${port}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = '${directory}'`,
    'fsync = off',
    'full_page_writes = off',
    'shared_buffers = 16MB',
    'max_connections = 200',
  ];
  const user = unprivileged();
  if (user) chownSync(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  const args = ['-N', '-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8'];
  const [command = '', ...rest] = asUser(
    program('initdb'),
    ...args,
    '-A',
    'scram-sha-256',
    '--auth-local=trust',
  );
  // scram-sha-256 wants a password for the superuser, who comes by the socket only and needs none.
  const passwordFile = join(directory, 'superuser');
  writeFileSync(passwordFile, randomBytes(12).toString('hex'));
  if (user) chownSync(passwordFile, user.uid, user.gid);
  execFileSync(command, [...rest, '--pwfile', passwordFile], {
    stdio: 'pipe',
    timeout: 60_000,
    cwd: directory,
  });
  writeFileSync(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
}

function keeper(directory: string) {
  let child: ReturnType<typeof spawn> | undefined;
  let closed: Promise<unknown> = Promise.resolve();
  let printed = '';
  const command = asUser(program('postgres'), '-D', join(directory, 'data'));
  const start = () => {
    // Detached: a Ctrl-C at the terminal is not for the keeper.
    child = spawn('sh', ['-c', KEEPER, 'sh', ...command], {
      detached: true,
      cwd: directory,
      env: { ...process.env, DIRECTORY: directory },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    }
    closed = once(child, 'close');
  };
  const stop = async () => {
    child?.stdin?.end('stop\n');
    child = undefined;
    await closed;
  };
  return { start, stop, output: () => printed };
}

async function accepting(ask: () => Promise<void>, output: () => string): Promise<void> {
  const until = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > until)
        throw new Error(`PostgreSQL does not start:\n${output()}`, { cause: error });
      await sleep(20);
    }
  }
}

function program(name: string): string {
  const versions = readdirSync(DEBIAN).map(Number).filter(Boolean);
  return join(DEBIAN, String(Math.max(...versions)), 'bin', name);
}

/** PostgreSQL refuses to run as root: then it runs as the user that its Debian package has made. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function asUser(...command: string[]): string[] {
  const user = unprivileged();
  if (!user) return command;
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--', ...command];
}
