/** Jobs that wait for a worker: so many and so long, and no more. */
import { KmsError } from '../errors';
import type { JobInput, JobName } from './jobs';
import type { JobDone } from './worker-process';

export interface LaneJob {
  readonly name: JobName;
  readonly input: JobInput<JobName>;
  readonly resolve: (done: JobDone<JobName>) => void;
  readonly reject: (error: unknown) => void;
  /** Whether nobody waits for the result any more. */
  readonly isUnwanted: () => boolean;
  /** Whether it may be done again after its worker was lost. */
  readonly mayRepeat: () => boolean;
  /** How often it was given to a worker. */
  executions: number;
}

interface Waiting {
  readonly job: LaneJob;
  readonly timer: NodeJS.Timeout;
}

export class JobQueue {
  private readonly waiting: Waiting[] = [];

  constructor(
    private readonly limit: number,
    private readonly deadlineMs: number,
  ) {}

  get depth(): number {
    return this.waiting.length;
  }

  get isFull(): boolean {
    return this.depth >= this.limit;
  }

  /** Lets a job wait, at most as long as the deadline: then it is rejected with TOKEN_TIMEOUT. */
  add(job: LaneJob, where: 'first' | 'last'): void {
    const late = () => {
      this.waiting.splice(this.waiting.indexOf(entry), 1);
      job.reject(new KmsError('TOKEN_TIMEOUT', 'The token was too busy to take the request in time.'));
    };
    const entry = { job, timer: setTimeout(late, this.deadlineMs) };
    if (where === 'first') this.waiting.unshift(entry);
    else this.waiting.push(entry);
  }

  /** Takes out the first job that may run; those that nobody waits for any more are rejected on the way. */
  take(mayRun: (job: LaneJob) => boolean): LaneJob | undefined {
    for (;;) {
      const index = this.waiting.findIndex(({ job }) => mayRun(job));
      const [entry] = index < 0 ? [] : this.waiting.splice(index, 1);
      if (!entry) return undefined;
      clearTimeout(entry.timer);
      if (!entry.job.isUnwanted()) return entry.job;
      entry.job.reject(new KmsError('THROTTLED', 'The client went away before the token was free.'));
    }
  }

  /** Takes all jobs out. */
  drain(): LaneJob[] {
    const all = this.waiting.splice(0);
    for (const { timer } of all) clearTimeout(timer);
    return all.map(({ job }) => job);
  }
}
