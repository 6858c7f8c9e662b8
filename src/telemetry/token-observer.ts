import type { Logger } from './logger';
import type { Metrics } from './metrics';

interface Worker {
  readonly lane: string;
  readonly pid: number;
}

/** Ends that nobody need look into. */
const QUIET_ENDS: ReadonlySet<string> = new Set(['drained', 'stopped']);

/**
 * Handlers for what the token tells of its jobs and workers: jobs are counted, the lives of workers are
 * counted and logged.
 */
export function tokenObserver(logger: Logger, metrics: Metrics) {
  return {
    jobDone({ job, lane, outcome, ms }: { job: string; lane: string; outcome: string; ms: number }): void {
      metrics.jobs.inc({ job, lane, outcome });
      metrics.jobSeconds.observe({ job }, ms / 1000);
    },
    workerStarted({ lane, pid }: Worker): void {
      logger.info('token worker started', { lane, pid });
    },
    workerEnded({ lane, pid, reason, detail }: Worker & { reason: string; detail?: string }): void {
      if (reason === 'killed') metrics.workersKilled.inc({ lane });
      if (reason !== 'stopped') metrics.workersReplaced.inc({ lane, reason });
      const level = QUIET_ENDS.has(reason) ? 'info' : 'warn';
      logger.log(level, 'token worker ended', { lane, pid, reason, detail });
    },
    workerFailed({ lane, message }: { lane: string; message: string }): void {
      metrics.workerStartFailures.inc({ lane });
      logger.error('token worker could not start', { lane, reason: message });
    },
    moduleOutput({ lane, pid, line }: Worker & { line: string }): void {
      logger.warn('the PKCS#11 module printed a line', { lane, pid, line });
    },
  };
}
