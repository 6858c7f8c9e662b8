/**
 * A place for one token worker in a lane. From its opening to its closing it keeps itself taken: a worker that
 * ended is replaced at once, ever more slowly where the token does not come back; one that has done many jobs is
 * replaced without a pause.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartMessage } from './jobs';
import type { LoginGate } from './login-gate';
import type { LaneName, TokenObserver } from './observer';
import { WorkerProcess, type WorkerProcessEvents, WorkerStartError } from './worker-process';

/** What a seat asks of the token that it belongs to. */
export interface SeatOwner {
  readonly observer: TokenObserver;
  readonly gate: LoginGate;
  startMessage(): StartMessage;
}

export interface SeatOptions {
  readonly lane: LaneName;
  /** A worker is replaced after so many jobs, because modules leak. */
  readonly workerJobs: number;
  /** Aborted when the lane closes. */
  readonly closing: AbortSignal;
  /** The seat may have become idle. */
  readonly onReady: () => void;
  /** No worker could start. */
  readonly onFailing: () => void;
}

const BACKOFF_MS = { first: 100, last: 2_000 } as const;
/** So long a worker is not replaced again because it did not find an object: there may be none. */
const TRUSTED_MS = 10_000;

export class Seat {
  private state: 'starting' | 'ready' | 'failing' = 'starting';
  private worker: WorkerProcess | undefined;
  private busy = false;
  /** The next worker, ready to take over when this one has done its job. */
  private fresh: WorkerProcess | undefined;
  private refreshing = false;
  /** When what the worker does not find is doubted again. */
  private trustedUntil = 0;
  private kept: Promise<void> | undefined;
  private readonly starts = new Set<Promise<WorkerProcess>>();
  private onEnded: (() => void) | undefined;

  constructor(
    private readonly options: SeatOptions,
    private readonly owner: SeatOwner,
  ) {}

  /** There is a worker. */
  get isReady(): boolean {
    return this.state === 'ready';
  }

  get isBusy(): boolean {
    return this.busy;
  }

  get isIdle(): boolean {
    return this.isReady && !this.busy;
  }

  /** The last try to start a worker failed. */
  get isFailing(): boolean {
    return this.state === 'failing';
  }

  /** A worker was started here before. */
  get isOpen(): boolean {
    return this.kept !== undefined;
  }

  /**
   * Starts the first worker.
   *
   * @throws WorkerStartError
   */
  async open(): Promise<WorkerProcess> {
    const worker = await this.start();
    this.take(worker);
    this.kept = this.keep();
    return worker;
  }

  /** Takes the worker for one job. The seat is busy until `release`. */
  borrow(): WorkerProcess {
    if (!this.worker || this.busy) throw new Error('a job was given to a seat that is not idle');
    this.busy = true;
    return this.worker;
  }

  /** The job is done, whatever became of its worker. */
  release(): void {
    this.busy = false;
    if (this.fresh) this.handOver();
    if ((this.worker?.jobs ?? 0) >= this.options.workerJobs) void this.refresh();
    this.options.onReady();
  }

  /** The worker did not find an object. Another process may: a module can miss what other processes make. */
  doubt(): void {
    if (performance.now() < this.trustedUntil) return;
    this.trustedUntil = performance.now() + TRUSTED_MS;
    void this.refresh();
  }

  /** A job that is being done gets `graceMs` to finish; then it ends with its worker, which is replaced. */
  async endJob(graceMs: number): Promise<void> {
    await this.finishes(graceMs);
    if (this.busy) this.worker?.end('stopped');
  }

  /** Ends the workers, once the lane is closing; a job in one gets `graceMs` to finish. */
  async close(graceMs: number): Promise<void> {
    await this.finishes(graceMs);
    const workers = [this.worker, this.fresh].filter((worker) => worker !== undefined);
    await Promise.all(workers.map((worker) => (this.busy ? worker.end('stopped') : worker.stop('stopped'))));
    await Promise.allSettled([this.kept, ...this.starts]);
  }

  private async finishes(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    while (this.busy && performance.now() < until) await sleep(20);
  }

  private async start(): Promise<WorkerProcess> {
    const start = this.startWorker();
    this.starts.add(start);
    try {
      return await start;
    } finally {
      this.starts.delete(start);
    }
  }

  private async startWorker(): Promise<WorkerProcess> {
    const { observer, gate } = this.owner;
    const { lane, closing } = this.options;
    const events: WorkerProcessEvents = {
      ended: (which, reason, detail) => {
        observer.workerEnded({ lane, pid: which.pid, reason, ...(detail && { detail }) });
        this.workerEnded(which);
      },
      output: ({ pid }, line) => observer.moduleOutput({ lane, pid, line }),
    };
    const worker = await gate.pass(() => WorkerProcess.start(this.owner.startMessage(), events, closing));
    observer.workerStarted({ lane, pid: worker.pid });
    return worker;
  }

  private take(worker: WorkerProcess): void {
    if (this.fresh === worker) this.fresh = undefined;
    this.worker = worker;
    this.state = 'ready';
    if (!this.busy) this.release();
  }

  private workerEnded(worker: WorkerProcess): void {
    if (this.fresh === worker) this.fresh = undefined;
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.state = 'starting';
    this.onEnded?.();
  }

  /** Keeps the seat taken until the lane closes, or nobody may try again. */
  private async keep(): Promise<void> {
    const { closing } = this.options;
    let backoff: number = BACKOFF_MS.first / 2;
    while (!closing.aborted) {
      if (this.worker) {
        const { worker } = this;
        await new Promise<void>((resolve) => {
          this.onEnded = resolve;
        });
        // One that dies of its first job is no reason for haste.
        backoff = worker.jobs > 1 ? BACKOFF_MS.first : Math.min(backoff * 2, BACKOFF_MS.last);
      }
      await sleep(backoff, undefined, { signal: closing }).catch(() => undefined);
      if (closing.aborted) return;
      try {
        this.take(this.fresh ?? (await this.start()));
      } catch (error) {
        if (closing.aborted || this.giveUp(error)) return;
        backoff = Math.min(backoff * 2, BACKOFF_MS.last);
      }
    }
  }

  /** Whether nobody may try again. */
  private giveUp(error: unknown): boolean {
    this.state = 'failing';
    this.tellOf(error);
    this.options.onFailing();
    return error instanceof WorkerStartError && error.failure.startsWith('pin-');
  }

  private tellOf(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.owner.observer.workerFailed({ lane: this.options.lane, message });
  }

  /** Brings a fresh worker up beside one that is to be replaced. */
  private async refresh(): Promise<void> {
    const { closing } = this.options;
    if (this.refreshing || closing.aborted) return;
    this.refreshing = true;
    try {
      this.fresh = await this.start();
      if (!this.busy) this.release();
    } catch (error) {
      if (closing.aborted) return;
      // The old worker goes on; a later job tries again, but not each one.
      this.tellOf(error);
      await sleep(BACKOFF_MS.last, undefined, { signal: closing }).catch(() => undefined);
    } finally {
      this.refreshing = false;
    }
  }

  private handOver(): void {
    const { worker: old, fresh } = this;
    if (!fresh || !old) return;
    this.worker = fresh;
    this.fresh = undefined;
    void old.stop('drained');
  }
}
