import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from './load.mjs';
import { LEVELS } from './operations.mjs';

/** Load that runs before its answers count, in seconds: RSA workers then are at any point of a pair. */
const LEAD_SECONDS = { fast: 0.2, rsa: 0.6 };

/**
 * One round of an operation: the direct loop, and the service at each level of connections. Every other round
 * goes through them backwards. Returns a row for each level, with the direct loop's rate of this round.
 */
export async function measureOperation(bench, operation, round, levels = LEVELS) {
  const slices = [
    { level: 'direct', run: () => directSlice(bench, operation) },
    ...levels.map((level) => ({ level, run: () => serviceSlice(bench, operation, level) })),
  ];
  if (round % 2 === 1) slices.reverse();
  const results = new Map();
  for (const { level, run } of slices) results.set(level, await run());
  const { perSecond: direct } = results.get('direct');
  return levels.map((connections) => ({
    operation: operation.name,
    round,
    connections,
    direct,
    ...results.get(connections),
  }));
}

async function directSlice({ options, service, direct, workers }, { name, lane, slice }) {
  await service.idle();
  return direct.run(name, workers[lane], LEAD_SECONDS[slice] * 1000, options.seconds[slice] * 1000);
}

async function serviceSlice(bench, operation, connections) {
  const { options, service, subject, workers } = bench;
  const { slice, job, lane } = operation;
  const seconds = options.seconds[connections === 1 && slice === 'rsa' ? 'rsaSingle' : slice];
  await service.idle();
  const load = startLoad(await service.request(operation.target, operation.request(subject)), connections);
  await sleep(LEAD_SECONDS[slice] * 1000);
  // Reading the metrics also starts the record of the event loop's delays anew.
  const before = await service.metrics();
  const begun = performance.now();
  const answered = await load.record(seconds * 1000);
  const after = await service.metrics();
  const workerSeconds = (workers[lane] * (performance.now() - begun)) / 1000;
  await load.stop();
  const tokenSeconds = (metrics) => metrics.total('p11kms_token_job_duration_seconds_sum', `job="${job}"`);
  return {
    ...answered,
    /** The share of their time that the lane's workers spent inside jobs. */
    busy: (tokenSeconds(after) - tokenSeconds(before)) / workerSeconds,
    loopDelayP99: after.total('nodejs_eventloop_lag_p99_seconds') * 1000,
    errors: Object.fromEntries(load.errors),
  };
}
