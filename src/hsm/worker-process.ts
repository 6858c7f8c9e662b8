/**
 * One token worker as the service sees it: a child process that is started, given one job at a time, and ended.
 * Nothing here waits without a bound.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '../errors';
import type {
  FromWorker,
  JobInput,
  JobName,
  JobOutput,
  StartFailure,
  StartMessage,
  TokenFault,
  ToWorker,
} from './jobs';
import type { WorkerEnd } from './observer';
import type { TokenReport } from './report';

const WORKER_FILE = join(__dirname, 'worker', 'main.js');
const START_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 2_000;
/** What a worker that is starting gets to finish its login: see parent-watch.ts. */
const LOGIN_GRACE_MS = 1_000;
const LINE_LIMIT = 500;

/** Why a worker could not begin. */
export class WorkerStartError extends Error {
  constructor(
    readonly failure: StartFailure | 'crashed' | 'timeout',
    message: string,
    readonly report?: TokenReport,
  ) {
    super(message);
  }
}

/** The worker went away with a job in it. The job may have been done or not. */
export class WorkerGone extends Error {
  override readonly name = 'WorkerGone';

  constructor(
    readonly reason: WorkerEnd,
    fault?: TokenFault,
  ) {
    super(fault?.message ?? `the token worker was ${reason}`);
  }
}

interface RunningJob {
  readonly settle: (message: FromWorker | WorkerGone) => void;
  readonly timer: NodeJS.Timeout;
}

export interface JobDone<N extends JobName> {
  readonly output: JobOutput<N>;
  /** Milliseconds that the token took. */
  readonly ms: number;
}

export interface WorkerProcessEvents {
  ended(worker: WorkerProcess, reason: WorkerEnd, detail?: string): void;
  output(worker: WorkerProcess, line: string): void;
}

export class WorkerProcess {
  /** Jobs done so far. */
  jobs = 0;
  /** What the first worker found out. */
  report: TokenReport | undefined;
  private running: RunningJob | undefined;
  private onStart: ((message: FromWorker | WorkerGone) => void) | undefined;
  /** Why it was asked to stop; its exit is then no crash. */
  private stopping: WorkerEnd | undefined;
  private ended = false;
  private readonly exited: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    private readonly events: WorkerProcessEvents,
  ) {
    child.on('message', (message) => this.receive(message as FromWorker));
    child.on('error', (error) => this.end('crashed', { message: error.message }));
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => events.output(this, line.slice(0, LINE_LIMIT)));
    }
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        const detail = signal ? `signal ${signal}` : `exit code ${code}`;
        this.end(this.stopping ?? 'crashed', { message: `the token worker ended: ${detail}` });
        resolve();
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /**
   * Starts a worker and waits until it is ready.
   *
   * @param signal ends the worker as soon as it is ready, or after a moment
   * @throws WorkerStartError
   */
  static async start(
    message: StartMessage,
    events: WorkerProcessEvents,
    signal: AbortSignal,
  ): Promise<WorkerProcess> {
    if (signal.aborted) throw new WorkerStartError('crashed', 'the token is being closed');
    const child = fork(WORKER_FILE, [String(process.pid)], {
      serialization: 'advanced',
      env: workerEnvironment(),
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const worker = new WorkerProcess(child, events);
    const answer = await worker.begin(message, signal);
    if (answer instanceof WorkerGone) throw startError(answer);
    if (signal.aborted) {
      await worker.stop('stopped');
      throw new WorkerStartError('crashed', 'the token is being closed');
    }
    if (answer.type === 'ready') {
      worker.report = answer.report;
      return worker;
    }
    worker.discard();
    if (answer.type !== 'refused') throw new Error(`a token worker began with ${answer.type}`);
    throw new WorkerStartError(answer.failure, answer.message, answer.report);
  }

  /**
   * Runs one job; the worker must be idle.
   *
   * @throws KmsError what the token or the job said; TOKEN_TIMEOUT past the deadline
   * @throws WorkerGone where the worker went away with the job in it
   */
  run<N extends JobName>(name: N, input: JobInput<N>, deadlineMs: number): Promise<JobDone<N>> {
    return new Promise((resolve, reject) => {
      const late = { message: `${name} took longer than ${deadlineMs} ms` };
      const timer = setTimeout(() => this.end('killed', late), deadlineMs);
      this.running = {
        timer,
        settle: (message) => {
          this.jobs++;
          if (message instanceof WorkerGone) reject(message);
          else if (message.type === 'done')
            resolve({ output: message.output as JobOutput<N>, ms: message.ms });
          else if (message.type === 'failed') reject(toKmsError(message));
        },
      };
      this.send({ type: 'job', name, input });
    });
  }

  /** Ends an idle worker, gently and then not. */
  async stop(reason: WorkerEnd): Promise<void> {
    this.stopping ??= reason;
    this.send({ type: 'stop' });
    const timer = setTimeout(() => this.end(reason), STOP_DEADLINE_MS);
    // Even SIGKILL can take its time, and nobody need wait for it.
    await Promise.race([this.exited, sleep(2 * STOP_DEADLINE_MS, undefined, { ref: false })]);
    clearTimeout(timer);
  }

  /** Ends the worker now. Whoever waits for it is told at once: even SIGKILL can take its time. */
  end(reason: WorkerEnd, fault?: TokenFault): void {
    if (this.ended) return;
    this.ended = true;
    this.child.kill('SIGKILL');
    const gone = new WorkerGone(reason, fault);
    if (this.onStart) this.onStart(gone);
    else {
      this.events.ended(this, reason, fault?.message);
      this.settle(gone);
    }
  }

  /** Kills a process that never became a worker: nobody is told, because nobody has heard of it. */
  private discard(): void {
    this.ended = true;
    this.child.kill('SIGKILL');
  }

  private begin(message: StartMessage, signal: AbortSignal): Promise<FromWorker | WorkerGone> {
    const late = { message: `the PKCS#11 module was not ready within ${START_DEADLINE_MS} ms` };
    let timer = setTimeout(() => this.end('killed', late), START_DEADLINE_MS);
    let told = false;
    const giveUp = () => {
      // The PIN is wiped by and by: who has not been told it must not be told it now.
      if (!told) return this.end('stopped');
      clearTimeout(timer);
      timer = setTimeout(() => this.end('stopped'), LOGIN_GRACE_MS);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    return new Promise((resolve) => {
      this.onStart = (answer) => {
        if (!(answer instanceof WorkerGone) && answer.type === 'online') {
          told = true;
          this.send(message);
          return;
        }
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.onStart = undefined;
        resolve(answer);
      };
    });
  }

  private send(message: ToWorker): void {
    // A closed channel means that the child is ending: its exit settles what is waiting.
    this.child.send(message, () => undefined);
  }

  private receive(message: FromWorker): void {
    if (this.ended) return;
    if (this.onStart) this.onStart(message);
    else if (message.type === 'lost') this.end('lost', message.fault);
    else this.settle(message);
  }

  private settle(message: FromWorker | WorkerGone): void {
    const { running } = this;
    this.running = undefined;
    if (!running) return;
    clearTimeout(running.timer);
    running.settle(message);
  }
}

function startError({ reason, message }: WorkerGone): WorkerStartError {
  return new WorkerStartError(reason === 'killed' ? 'timeout' : 'crashed', message);
}

/** What the token said, as the cause of an error: for the log, never for a client. */
class TokenFaultError extends Error {
  override readonly name = 'TokenFault';
  /** The PKCS#11 return value. */
  readonly code: number | undefined;

  constructor({ message, ckr }: TokenFault) {
    super(message);
    this.code = ckr;
  }
}

function toKmsError({ code, message, fault }: Extract<FromWorker, { type: 'failed' }>): KmsError {
  return new KmsError(code, message, fault && { cause: new TokenFaultError(fault) });
}

/** The environment that HSM vendors' modules read; p11kms's own settings are none of a module's business. */
function workerEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('P11KMS_')));
}
