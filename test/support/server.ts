import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEnd } from './at-end';
import { type Credentials, rootCredentials } from './credentials';
import type { Site } from './site';

const MAIN = resolve(__dirname, '../../dist/main.js');
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 12_000;
const COMMAND_LIMIT_MS = 25_000;

export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly message: string;
};

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A `p11kms serve` that is ready. */
export interface Server extends Process {
  readonly url: string;
  /** Of the root principal. */
  readonly credentials: Credentials;
  /** From the start of the process to the line that says it is ready. */
  readonly startMs: number;
}

/** A `p11kms serve`. */
export interface Process {
  readonly pid: number;
  /** Everything that it printed so far, on both streams. */
  output(): string;
  /** The lines of its log so far. */
  log(): LogLine[];
  /** Waits until the log has a line that satisfies the condition. */
  logged(which: (line: LogLine) => boolean, limitMs?: number): Promise<LogLine>;
  /** Asks it to end. */
  terminate(): Promise<Ended>;
  /** SIGKILL. */
  kill(): Promise<Ended>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<Ended>;
  /** Process ids of its token workers that live. */
  workers(): number[];
}

/** What a child needs: in jest `process.env` is a copy, and settings of the one who runs the tests must not leak in. */
function environment(site: Site, settings: Settings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(P11KMS|SOFTHSM2|PKCS11)_/.test(name));
  const given = { ...site.env, ...settings };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...inherited, ...present]);
}

/** Settings that differ from the site's; undefined takes one away. */
export type Settings = Readonly<Record<string, string | undefined>>;

interface Collected {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Collected {
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  const ended = new Promise<Ended>((done) => {
    child.on('error', (error) => {
      text.stderr += `${error.message}\n`;
      done({ code: null, signal: null });
    });
    // `close` comes after `exit`: then, and only then, everything that was printed has been read.
    child.on('close', (code, signal) => done({ code, signal }));
  });
  atEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, ended, stdout: () => text.stdout, stderr: () => text.stderr };
}

/** What a command printed and how it ended. */
export interface Finished extends Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs `p11kms ARGS` to its end. */
export async function p11kms(
  args: readonly string[],
  site: Site,
  settings: Settings = {},
): Promise<Finished> {
  const begun = performance.now();
  const { child, ended, stdout, stderr } = run(args, environment(site, settings));
  const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_LIMIT_MS);
  const how = await ended;
  clearTimeout(timer);
  return { ...how, stdout: stdout(), stderr: stderr(), ms: performance.now() - begun };
}

/** Starts the service on a free port; it may never be ready. It is killed at the end of the test file. */
export function launchServer(site: Site, settings: Settings = {}): Process {
  return processOf(run(['serve'], environment(site, { P11KMS_PORT: '0', ...settings })));
}

/** Starts the service as `launchServer` does, and waits until it is ready. */
export async function startServer(site: Site, settings: Settings = {}): Promise<Server> {
  const begun = performance.now();
  const server = launchServer(site, settings);
  const ready = await server.logged(({ message }) => message === 'p11kms is ready', START_LIMIT_MS);
  const startMs = performance.now() - begun;
  return Object.assign(server, { url: String(ready.url), credentials: rootCredentials(site), startMs });
}

function processOf({ child, ended, stdout, stderr }: Collected): Process {
  const pid = child.pid ?? 0;
  const output = () => stdout() + stderr();
  let running = true;
  void ended.then(() => {
    running = false;
  });
  // What follows the last line break is being written.
  const log = () => stdout().split('\n').slice(0, -1).map(parseLine);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return within(STOP_LIMIT_MS, ended, () => `the server did not end:\n${output()}`);
  };
  return {
    pid,
    output,
    log,
    logged: (which, limitMs = 10_000) => {
      const missing = () =>
        `the line is not in what the server ${running ? 'prints' : 'printed'}:\n${output()}`;
      const look = () => log().find(which) ?? (running ? undefined : Promise.reject(new Error(missing())));
      return eventually(look, limitMs, missing);
    },
    terminate: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    ended,
    workers: () => workersOf(pid),
  };
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    throw new Error(`not a line of JSON: ${line}`);
  }
}

/** Token workers are told the service's process id: it names them also when the service is gone. */
export function workersOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const [, file = '', parent] = commandLine(name);
      return file.endsWith('hsm/worker/main.js') && parent === String(pid);
    })
    .map(Number);
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Asks again and again until there is an answer. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  limitMs: number,
  complaint: () => string,
): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > until) throw new Error(complaint());
    await sleep(20);
  }
}

async function within<T>(limitMs: number, promise: Promise<T>, complaint: () => string): Promise<T> {
  const late = new AbortController();
  const timeout = sleep(limitMs, undefined, { signal: late.signal }).then(() => {
    throw new Error(complaint());
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    late.abort();
    timeout.catch(() => undefined);
  }
}
