import type { KmsErrorCode } from '../errors';
import type { JobName } from './jobs';

/** Who hears what happens in the lanes: the log and the metrics. Nothing secret is ever told. */
export interface TokenObserver {
  jobDone(event: { job: JobName; lane: LaneName; outcome: 'ok' | KmsErrorCode; ms: number }): void;
  workerStarted(event: { lane: LaneName; pid: number }): void;
  workerEnded(event: { lane: LaneName; pid: number; reason: WorkerEnd; detail?: string }): void;
  /** A replacement could not start; it is tried again. */
  workerFailed(event: { lane: LaneName; message: string }): void;
  /** A line that the module printed. */
  moduleOutput(event: { lane: LaneName; pid: number; line: string }): void;
}

export type LaneName = 'token' | 'key-pairs';

/**
 * killed: past its deadline; crashed: ended by itself; lost: it lost its session or the token; drained: replaced
 * after many jobs, or because it did not find an object; stopped: the service ends.
 */
export type WorkerEnd = 'killed' | 'crashed' | 'lost' | 'drained' | 'stopped';
