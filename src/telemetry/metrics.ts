import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One lane of token workers, as the gauges show it. */
export interface LaneStats {
  readonly name: string;
  /** Jobs that wait. */
  readonly depth: number;
  /** Workers that do a job. */
  readonly busy: number;
  /** Workers that are ready or at work. */
  readonly alive: number;
}

/** Milliseconds for a P-256 pair or a Decrypt, seconds for an RSA-4096 pair, a minute at the deadline. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * The service's metrics in a registry of their own. `lanes` is asked at each scrape; before the token is
 * there it answers with none.
 */
export function createMetrics(lanes: () => readonly LaneStats[] = () => []) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  watchLanes(registry, lanes);
  const registers = [registry];
  return { registry, ...ofRequests(registers), ...ofJobs(registers), ...ofWorkers(registers) };
}

const ofRequests = (registers: Registry[]) => ({
  requests: new Counter({
    name: 'p11kms_requests_total',
    help: 'Requests by operation and outcome: ok, or the error that was answered.',
    labelNames: ['protocol', 'operation', 'outcome'],
    registers,
  }),
  requestSeconds: new Histogram({
    name: 'p11kms_request_duration_seconds',
    help: 'From the arrival of a request to its answer.',
    labelNames: ['protocol', 'operation'],
    buckets: SECONDS,
    registers,
  }),
  connectionsDropped: new Counter({
    name: 'p11kms_connections_dropped_total',
    help: 'Connections closed at once, because there were as many as the service takes.',
    registers,
  }),
});

const ofJobs = (registers: Registry[]) => ({
  jobs: new Counter({
    name: 'p11kms_token_jobs_total',
    help: 'Jobs of the token workers by name and outcome.',
    labelNames: ['job', 'lane', 'outcome'],
    registers,
  }),
  jobSeconds: new Histogram({
    name: 'p11kms_token_job_duration_seconds',
    help: 'From giving a job to a token worker to its result.',
    labelNames: ['job'],
    buckets: SECONDS,
    registers,
  }),
});

const ofWorkers = (registers: Registry[]) => ({
  workersKilled: new Counter({
    name: 'p11kms_token_workers_killed_total',
    help: 'Token workers killed because a job passed its deadline.',
    labelNames: ['lane'],
    registers,
  }),
  workersReplaced: new Counter({
    name: 'p11kms_token_workers_replaced_total',
    help: 'Token workers that ended and got a successor, by the reason of their end.',
    labelNames: ['lane', 'reason'],
    registers,
  }),
  workerStartFailures: new Counter({
    name: 'p11kms_token_worker_start_failures_total',
    help: 'Token workers that could not start.',
    labelNames: ['lane'],
    registers,
  }),
});

function watchLanes(registry: Registry, lanes: () => readonly LaneStats[]): void {
  const gauge = (name: string, help: string, value: (lane: LaneStats) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['lane'],
      registers: [registry],
      collect() {
        for (const lane of lanes()) this.set({ lane: lane.name }, value(lane));
      },
    });
  gauge('p11kms_token_lane_depth', 'Jobs that wait in a lane.', ({ depth }) => depth);
  gauge('p11kms_token_lane_busy', 'Token workers of a lane that do a job.', ({ busy }) => busy);
  gauge('p11kms_token_workers_alive', 'Token workers of a lane that are alive.', ({ alive }) => alive);
}
