/**
 * A lane: some seats for token workers and the bounded queue in front of them. While it is open it replaces its
 * workers by itself: at once where one ended, ever more slowly where the token does not come back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '../errors';
import type { JobInput, JobName, StartMessage } from './jobs';
import type { LaneName, TokenObserver, WorkerEnd } from './observer';
import {
  type JobDone,
  WorkerGone,
  WorkerProcess,
  type WorkerProcessEvents,
  WorkerStartError,
} from './worker-process';

export interface LaneOptions {
  readonly name: LaneName;
  readonly size: number;
  /** How many jobs may wait. */
  readonly queue: number;
  /** Milliseconds that a job may wait, and again that it may run. */
  readonly deadlineMs: number;
  /** A worker is replaced after so many jobs, because modules leak. */
  readonly workerJobs: number;
}

/** What a lane asks of the token that it belongs to. */
export interface LaneOwner {
  readonly observer: TokenObserver;
  startMessage(): StartMessage;
  /** The PIN was refused or is locked: nobody may try it again. */
  onPinTrouble(error: WorkerStartError): void;
}

const BACKOFF_MS = { first: 100, last: 2_000 } as const;

/** Jobs whose second execution could leave behind what the first one has made already. */
const NOT_REPEATED: ReadonlySet<JobName> = new Set(['createKeyObjects']);
/** A job that was lost in a crash is done again once: it may be what the module dies of. */
const EXECUTIONS_WITH_CRASH = 2;

interface LaneJob {
  readonly name: JobName;
  readonly input: JobInput<JobName>;
  readonly resolve: (done: JobDone<JobName>) => void;
  readonly reject: (error: unknown) => void;
  executions: number;
  timer?: NodeJS.Timeout;
}

/** A place for one worker, which is ready, on its way, or failing to come back. */
interface Seat {
  state: 'starting' | 'ready' | 'failing';
  worker?: WorkerProcess;
  busy: boolean;
  /** The next worker, ready to take over when this one has done its many jobs. */
  fresh?: WorkerProcess;
  refreshing: boolean;
  onEnded?: () => void;
}

export class Lane {
  private readonly seats: readonly Seat[];
  private readonly queue: LaneJob[] = [];
  private readonly closing = new AbortController();
  private readonly keepers: Promise<void>[] = [];

  constructor(
    private readonly options: LaneOptions,
    private readonly owner: LaneOwner,
  ) {
    this.seats = Array.from({ length: options.size }, () => ({
      state: 'starting',
      busy: false,
      refreshing: false,
    }));
  }

  get name(): LaneName {
    return this.options.name;
  }

  /** For the gauges: jobs waiting, workers at work, workers ready. */
  get stats() {
    const busy = this.seats.filter((seat) => seat.busy).length;
    const alive = this.seats.filter(({ state }) => state === 'ready').length;
    return { name: this.options.name, depth: this.queue.length, busy, alive };
  }

  /**
   * Starts the first `count` seats that are not taken yet, and keeps them from then on.
   *
   * @throws WorkerStartError where one cannot start
   */
  async open(count = this.seats.length): Promise<readonly WorkerProcess[]> {
    const seats = this.seats.slice(0, count).filter(({ worker }) => !worker);
    const workers = await Promise.all(seats.map((seat) => this.seatWorker(seat)));
    for (const seat of seats) this.keepers.push(this.keep(seat));
    return workers;
  }

  /**
   * Has a job done by the next free worker.
   *
   * @throws KmsError THROTTLED where too many jobs wait, KEY_UNAVAILABLE where no worker can reach the token,
   *   TOKEN_TIMEOUT past the deadline, and whatever the job says
   */
  run(name: JobName, input: JobInput<JobName>): Promise<JobDone<JobName>> {
    return new Promise((resolve, reject) => {
      if (this.isDown()) reject(unavailable());
      else if (this.queue.length >= this.options.queue) {
        reject(new KmsError('THROTTLED', 'Too many requests are waiting for the token: try again later.'));
      } else this.place({ name, input, resolve, reject, executions: 0 }, 'last');
    });
  }

  /** Ends all workers. Jobs that wait are refused; those in a worker get `graceMs` to finish. */
  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    this.flush();
    await Promise.all(this.seats.map((seat) => this.vacate(seat, graceMs)));
    await Promise.all(this.keepers);
  }

  private isDown(): boolean {
    return this.closing.signal.aborted || this.seats.every(({ state }) => state === 'failing');
  }

  /** Gives a job to an idle worker, or queues it. */
  private place(job: LaneJob, where: 'first' | 'last'): void {
    const idle = this.seats.find(({ state, busy }) => state === 'ready' && !busy);
    if (idle) {
      this.execute(idle, job);
      return;
    }
    job.timer = setTimeout(() => {
      this.queue.splice(this.queue.indexOf(job), 1);
      job.reject(new KmsError('TOKEN_TIMEOUT', 'The token was too busy to take the request in time.'));
    }, this.options.deadlineMs);
    if (where === 'first') this.queue.unshift(job);
    else this.queue.push(job);
  }

  private flush(): void {
    for (const job of this.queue.splice(0)) {
      clearTimeout(job.timer);
      job.reject(unavailable());
    }
  }

  private execute(seat: Seat, job: LaneJob): void {
    const { worker } = seat;
    if (!worker) throw new Error('a job was given to an empty seat');
    seat.busy = true;
    job.executions++;
    worker.run(job.name, job.input, this.options.deadlineMs).then(
      (done) => {
        job.resolve(done);
        this.release(seat);
      },
      (error: unknown) => {
        this.settleFailure(job, error);
        this.release(seat);
      },
    );
  }

  /** The seat takes the next job, if it still has a worker that can. */
  private release(seat: Seat): void {
    seat.busy = false;
    if (seat.fresh) this.handOver(seat);
    if (seat.state !== 'ready') return;
    if ((seat.worker?.jobs ?? 0) >= this.options.workerJobs) void this.refresh(seat);
    const next = this.queue.shift();
    if (!next) return;
    clearTimeout(next.timer);
    this.execute(seat, next);
  }

  private settleFailure(job: LaneJob, error: unknown): void {
    if (!(error instanceof WorkerGone)) job.reject(error);
    else if (!this.isRepeatable(job, error.reason)) job.reject(lostJob(error, this.options.deadlineMs));
    else this.place(job, 'first');
  }

  private isRepeatable(job: LaneJob, reason: WorkerEnd): boolean {
    if (NOT_REPEATED.has(job.name) || this.isDown()) return false;
    if (reason === 'crashed') return job.executions < EXECUTIONS_WITH_CRASH;
    // All workers may have lost their sessions at once: enough tries to go past each and reach a new one.
    return reason === 'lost' && job.executions <= this.options.size + 1;
  }

  private async seatWorker(seat: Seat): Promise<WorkerProcess> {
    const worker = seat.fresh ?? (await this.startWorker(seat));
    this.take(seat, worker);
    return worker;
  }

  private async startWorker(seat: Seat): Promise<WorkerProcess> {
    const { observer } = this.owner;
    const lane = this.options.name;
    const events: WorkerProcessEvents = {
      ended: (which, reason, detail) => {
        observer.workerEnded({ lane, pid: which.pid, reason, ...(detail && { detail }) });
        this.onEnded(seat, which);
      },
      output: ({ pid }, line) => observer.moduleOutput({ lane, pid, line }),
    };
    const worker = await WorkerProcess.start(this.owner.startMessage(), events, this.closing.signal);
    observer.workerStarted({ lane, pid: worker.pid });
    return worker;
  }

  private take(seat: Seat, worker: WorkerProcess): void {
    if (seat.fresh === worker) delete seat.fresh;
    seat.worker = worker;
    seat.state = 'ready';
    if (!seat.busy) this.release(seat);
  }

  private onEnded(seat: Seat, worker: WorkerProcess): void {
    if (seat.fresh === worker) delete seat.fresh;
    if (seat.worker !== worker) return;
    delete seat.worker;
    seat.state = 'starting';
    seat.onEnded?.();
  }

  /** Keeps a seat taken until the lane closes. */
  private async keep(seat: Seat): Promise<void> {
    let backoff: number = BACKOFF_MS.first;
    const { signal } = this.closing;
    while (!signal.aborted) {
      if (seat.worker) {
        await new Promise<void>((resolve) => {
          seat.onEnded = resolve;
        });
        backoff = BACKOFF_MS.first;
      }
      await sleep(backoff, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.seatWorker(seat);
      } catch (error) {
        if (this.giveUp(seat, error)) return;
        backoff = Math.min(backoff * 2, BACKOFF_MS.last);
      }
    }
  }

  /** Whether nobody may try again. */
  private giveUp(seat: Seat, error: unknown): boolean {
    seat.state = 'failing';
    if (this.isDown()) this.flush();
    const message = error instanceof Error ? error.message : String(error);
    this.owner.observer.workerFailed({ lane: this.options.name, message });
    const pin = error instanceof WorkerStartError && error.failure.startsWith('pin-');
    if (pin) this.owner.onPinTrouble(error);
    return pin;
  }

  /** Brings a fresh worker up beside one that has done many jobs. */
  private async refresh(seat: Seat): Promise<void> {
    if (seat.refreshing) return;
    seat.refreshing = true;
    try {
      seat.fresh = await this.startWorker(seat);
      if (!seat.busy) this.release(seat);
    } catch (error) {
      // The old worker goes on; a later job tries again, but not each one.
      this.owner.observer.workerFailed({ lane: this.options.name, message: String(error) });
      await sleep(BACKOFF_MS.last, undefined, { signal: this.closing.signal }).catch(() => undefined);
    } finally {
      seat.refreshing = false;
    }
  }

  private handOver(seat: Seat): void {
    const { worker: old, fresh } = seat;
    if (!fresh || !old) return;
    seat.worker = fresh;
    delete seat.fresh;
    void old.stop('drained');
  }

  private async vacate(seat: Seat, graceMs: number): Promise<void> {
    const until = Date.now() + graceMs;
    while (seat.busy && Date.now() < until) await sleep(20);
    const workers = [seat.worker, seat.fresh].filter((worker) => worker !== undefined);
    await Promise.all(workers.map((worker) => (seat.busy ? worker.end('stopped') : worker.stop('stopped'))));
  }
}

function unavailable(): KmsError {
  return new KmsError('KEY_UNAVAILABLE', 'The key material is not available: the token cannot be reached.');
}

function lostJob(error: WorkerGone, deadlineMs: number): KmsError {
  const options = { cause: error };
  if (error.reason === 'killed') {
    return new KmsError('TOKEN_TIMEOUT', `The token did not answer within ${deadlineMs} ms.`, options);
  }
  return error.reason === 'crashed'
    ? new KmsError('INTERNAL', 'The token could not do what was asked of it.', options)
    : new KmsError(
        'KEY_UNAVAILABLE',
        'The key material is not available: the token cannot be reached.',
        options,
      );
}
