/** A lane: some seats for token workers and the bounded queue in front of them. */
import { KmsError } from '../errors';
import { JobQueue, type LaneJob } from './job-queue';
import type { JobInput, JobName } from './jobs';
import type { LaneName, WorkerEnd } from './observer';
import { Seat, type SeatOwner } from './seat';
import { type JobDone, WorkerGone, type WorkerProcess } from './worker-process';

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

/** Jobs whose second execution could leave behind what the first one has made already. */
const NOT_REPEATED: ReadonlySet<JobName> = new Set(['createKeyObjects']);
/** A job that was lost in a crash is done again once: it may be what the module dies of. */
const EXECUTIONS_WITH_CRASH = 2;

/**
 * Jobs that change what is on the token. Where two processes do that at once, SoftHSM may never show what one of them
 * made to a third.
 */
const ONE_AT_A_TIME: ReadonlySet<JobName> = new Set(['createKeyObjects', 'destroyObjects']);

/** A token that has much to do is no token that does not answer. */
const URGENT: ReadonlySet<JobName> = new Set(['ping']);

/** Done until the lane closes: the last line of the audit record is signed when everything else has come to its end. */
const LAST: ReadonlySet<JobName> = new Set(['sign']);

/** What a lane asks of whoever gave it a job. */
export interface JobQuestions {
  /** When the job's turn comes: whether nobody waits for it any more. */
  readonly isUnwanted?: (() => boolean) | undefined;
  /** Before the job is done again after its worker was lost: whether it may be. */
  readonly mayRepeat?: (() => boolean) | undefined;
}

const never = () => false;
const always = () => true;

export class Lane {
  private readonly seats: readonly Seat[];
  private readonly queue: JobQueue;
  /** One of the jobs runs that must not run two at a time. */
  private changing = false;
  /** Only the last jobs are taken. */
  private ending = false;
  private readonly closing = new AbortController();

  constructor(
    private readonly options: LaneOptions,
    owner: SeatOwner,
  ) {
    const { name: lane, size, queue, deadlineMs, workerJobs } = options;
    this.queue = new JobQueue(queue, deadlineMs);
    const seat = {
      lane,
      workerJobs,
      closing: this.closing.signal,
      onReady: () => this.dispatch(),
      onFailing: () => this.isDown() && this.flush(),
    };
    this.seats = Array.from({ length: size }, () => new Seat(seat, owner));
  }

  get name(): LaneName {
    return this.options.name;
  }

  /** For the gauges: jobs waiting, workers at work, workers ready. */
  get stats() {
    const busy = this.seats.filter(({ isBusy }) => isBusy).length;
    const alive = this.seats.filter(({ isReady }) => isReady).length;
    return { name: this.options.name, depth: this.queue.depth, busy, alive };
  }

  /**
   * Starts the first `count` seats that are not open yet; they keep themselves taken from then on.
   *
   * @throws WorkerStartError where one cannot start
   */
  open(count = this.seats.length): Promise<readonly WorkerProcess[]> {
    const seats = this.seats.slice(0, count).filter(({ isOpen }) => !isOpen);
    return Promise.all(seats.map((seat) => seat.open()));
  }

  /**
   * Has a job done by the next free worker.
   *
   * @throws KmsError THROTTLED where too many jobs wait, KEY_UNAVAILABLE where no worker can reach the token,
   *   TOKEN_TIMEOUT past the deadline, and whatever the job says
   */
  run(
    name: JobName,
    input: JobInput<JobName>,
    { isUnwanted = never, mayRepeat = always }: JobQuestions = {},
  ): Promise<JobDone<JobName>> {
    return new Promise((resolve, reject) => {
      const job: LaneJob = { name, input, resolve, reject, isUnwanted, mayRepeat, executions: 0 };
      if (this.isDown() || (this.ending && !LAST.has(name))) reject(unavailable());
      else if (this.startNow(job)) return;
      else if (URGENT.has(name)) this.queue.add(job, 'first');
      else if (!this.queue.isFull) this.queue.add(job, 'last');
      else reject(new KmsError('THROTTLED', 'Too many requests are waiting for the token: try again later.'));
    });
  }

  /**
   * Begins no job more but signatures. Jobs that wait are refused; those in a worker get `graceMs` to finish, and then
   * end with their worker.
   */
  async endJobs(graceMs: number): Promise<void> {
    this.ending = true;
    this.flush();
    await Promise.all(this.seats.map((seat) => seat.endJob(graceMs)));
  }

  /** Ends all workers. Jobs that wait are refused; those in a worker get `graceMs` to finish. */
  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    this.flush();
    await Promise.all(this.seats.map((seat) => seat.close(graceMs)));
  }

  /** No worker can reach the token. */
  isDown(): boolean {
    return this.closing.signal.aborted || this.seats.every(({ isFailing }) => isFailing);
  }

  private flush(): void {
    for (const job of this.queue.drain()) job.reject(unavailable());
  }

  private mayRun({ name }: LaneJob): boolean {
    return !this.changing || !ONE_AT_A_TIME.has(name);
  }

  private startNow(job: LaneJob): boolean {
    const idle = this.seats.find(({ isIdle }) => isIdle);
    if (!idle || !this.mayRun(job)) return false;
    this.execute(idle, job);
    return true;
  }

  /** Gives idle workers what waits. */
  private dispatch(): void {
    for (const seat of this.seats.filter(({ isIdle }) => isIdle)) {
      const next = this.queue.take((job) => this.mayRun(job));
      if (!next) return;
      this.execute(seat, next);
    }
  }

  private execute(seat: Seat, job: LaneJob): void {
    const changes = ONE_AT_A_TIME.has(job.name);
    if (changes) this.changing = true;
    job.executions++;
    const settled = () => {
      if (changes) this.changing = false;
      seat.release();
    };
    seat
      .borrow()
      .run(job.name, job.input, this.options.deadlineMs)
      .then(
        (done) => {
          job.resolve(done);
          settled();
        },
        (error: unknown) => {
          this.settleFailure(seat, job, error);
          settled();
        },
      );
  }

  private settleFailure(seat: Seat, job: LaneJob, error: unknown): void {
    if (!(error instanceof WorkerGone)) {
      job.reject(error);
      if (error instanceof KmsError && error.code === 'KEY_UNAVAILABLE') seat.doubt();
    } else if (this.isRepeatable(job, error.reason) && job.mayRepeat()) this.queue.add(job, 'first');
    else job.reject(lostJob(error, this.options.deadlineMs));
  }

  private isRepeatable(job: LaneJob, reason: WorkerEnd): boolean {
    if (NOT_REPEATED.has(job.name) || this.ending || this.isDown()) return false;
    if (reason === 'crashed') return job.executions < EXECUTIONS_WITH_CRASH;
    // All workers may have lost their sessions at once: enough tries to go past each and reach a new one.
    return reason === 'lost' && job.executions <= this.options.size + 1;
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
