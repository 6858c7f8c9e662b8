/**
 * A token worker: a child process that loads the PKCS#11 module, logs in, and does one job at a time with
 * blocking calls. Everything that can hang or crash in native code hangs or crashes here.
 *
 * Argument: the process id of the service.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { KmsError } from '../../errors';
import type { FromWorker, JobInput, JobMessage, JobName, JobOutput, StartMessage, ToWorker } from '../jobs';
import { type Canary, hatchCanary } from './canary';
import { findCapabilities } from './capabilities';
import { faultOf } from './ckr';
import { type Connection, connect } from './connection';
import { runJob } from './jobs';
import { attempt, type TokenWorker } from './token-worker';
import { StartFailed, TokenLost } from './worker-errors';

/** 1 while this process logs in: the thread that watches the parent sees it. */
const loggingIn = new Int32Array(new SharedArrayBuffer(4));

/** Set once, by the start message. */
let worker: TokenWorker | undefined;

function send(message: FromWorker): void {
  // The channel closes when the service is gone; then there is nobody to tell.
  process.send?.(message, undefined, undefined, () => undefined);
}

function start(message: StartMessage): void {
  try {
    const connection = logIn(message);
    message.pin.fill(0);
    const { dialect, report } = message.dialect
      ? { dialect: message.dialect }
      : dialectOf(connection, message);
    worker = {
      connection,
      session: connection.session,
      handles: new Map(),
      dialect,
      gcmIv: message.gcmIv,
      ...canaryFor(connection, message),
    };
    send({ type: 'ready', ...(report && { report }) });
  } catch (error) {
    send(refusal(error));
  }
}

function logIn(message: StartMessage): Connection {
  Atomics.store(loggingIn, 0, 1);
  try {
    return connect(message);
  } finally {
    Atomics.store(loggingIn, 0, 0);
  }
}

function dialectOf(connection: Connection, { gcmIv }: StartMessage) {
  const report = findCapabilities(connection, gcmIv);
  const { dialect, missing } = report;
  if (dialect) return { dialect, report };
  throw new StartFailed('token-unsuitable', `the token cannot be used: it lacks ${missing.join('; ')}`, {
    report,
  });
}

function canaryFor({ session }: Connection, { gcmIv, serviceKey }: StartMessage): { canary?: Canary } {
  return serviceKey ? { canary: hatchCanary(session, gcmIv, serviceKey) } : {};
}

function refusal(error: unknown): FromWorker {
  if (error instanceof StartFailed) {
    return { type: 'refused', failure: error.failure, message: error.message, ...error.details };
  }
  const fault = faultOf(error);
  return {
    type: 'refused',
    failure: 'token-error',
    message: `the token does not answer: ${fault.message}`,
    fault,
  };
}

function run({ name, input }: JobMessage): void {
  const begun = performance.now();
  try {
    const current = worker;
    if (!current) throw new Error('a job came before the worker was ready');
    const output = attempt(current, () => runJob(current, name, input));
    send({ type: 'done', output, ms: performance.now() - begun });
    wipe(output);
  } catch (error) {
    send(failure(error, performance.now() - begun));
  } finally {
    wipe(input);
  }
}

function failure(error: unknown, ms: number): FromWorker {
  if (error instanceof TokenLost) return { type: 'lost', fault: error.fault };
  const { code, message, cause } =
    error instanceof KmsError ? error : new KmsError('INTERNAL', 'The job failed.', { cause: error });
  return { type: 'failed', code, message, ms, ...(cause !== undefined && { fault: faultOf(cause) }) };
}

/** A message has been written out when `send` returns: what was secret in it need not stay. */
function wipe(message: JobInput<JobName> | JobOutput<JobName>): void {
  for (const value of Object.values(message)) if (Buffer.isBuffer(value)) value.fill(0);
}

function stop(): void {
  try {
    worker?.connection.module.finalize();
  } finally {
    process.exit(0);
  }
}

function receive(message: ToWorker): void {
  if (message.type === 'job') run(message);
  else if (message.type === 'start') start(message);
  else stop();
}

// Signals to the process group are the service's to act on: it lets the jobs in flight finish.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);
process.on('disconnect', stop);
process.on('message', receive);
new Worker(join(__dirname, 'parent-watch.js'), {
  workerData: { parent: Number(process.argv[2]), loggingIn },
  resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
});
send({ type: 'online' });
