import type { TokenObserver } from '../../../src/hsm/observer';
import { createMetrics } from '../../../src/telemetry/metrics';
import { tokenObserver } from '../../../src/telemetry/token-observer';
import { captureLog } from '../api/support';

describe('metrics', () => {
  it('ask the lanes at each scrape', async () => {
    let depth = 3;
    const { registry } = createMetrics(() => [
      { name: 'token', depth, busy: 1, alive: 2 },
      { name: 'key-pairs', depth: 0, busy: 0, alive: 4 },
    ]);
    expect(await registry.metrics()).toContain('p11kms_token_lane_depth{lane="token"} 3');
    depth = 5;
    const text = await registry.metrics();
    expect(text).toContain('p11kms_token_lane_depth{lane="token"} 5');
    expect(text).toContain('p11kms_token_lane_busy{lane="token"} 1');
    expect(text).toContain('p11kms_token_workers_alive{lane="key-pairs"} 4');
  });

  it('include the process and its event loop, and share nothing with other registries', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.requests.inc({ protocol: 'trent', operation: 'Encrypt', outcome: 'ok' });
    const text = await one.registry.metrics();
    expect(text).toContain('p11kms_requests_total{protocol="trent",operation="Encrypt",outcome="ok"} 1');
    expect(text).toMatch(/nodejs_eventloop_lag_p99_seconds \d/);
    expect(text).toMatch(/process_resident_memory_bytes \d/);
    expect(await other.registry.metrics()).not.toContain('operation="Encrypt"');
  });
});

describe('tokenObserver', () => {
  it('counts jobs by name and outcome', async () => {
    const metrics = createMetrics();
    const observer: TokenObserver = tokenObserver(captureLog().logger, metrics);
    observer.jobDone({ job: 'encrypt', lane: 'token', outcome: 'ok', ms: 4 });
    observer.jobDone({ job: 'encrypt', lane: 'token', outcome: 'TOKEN_TIMEOUT', ms: 10_000 });
    const text = await metrics.registry.metrics();
    expect(text).toContain('p11kms_token_jobs_total{job="encrypt",lane="token",outcome="ok"} 1');
    expect(text).toContain('p11kms_token_jobs_total{job="encrypt",lane="token",outcome="TOKEN_TIMEOUT"} 1');
    expect(text).toContain('p11kms_token_job_duration_seconds_bucket{le="0.005",job="encrypt"} 1');
    expect(text).toContain('p11kms_token_job_duration_seconds_sum{job="encrypt"} 10.004');
  });

  it('counts and logs the ends of workers', async () => {
    const { logger, lines } = captureLog();
    const metrics = createMetrics();
    const observer: TokenObserver = tokenObserver(logger, metrics);
    observer.workerStarted({ lane: 'token', pid: 7 });
    observer.workerEnded({ lane: 'token', pid: 7, reason: 'killed', detail: 'encrypt' });
    observer.workerEnded({ lane: 'token', pid: 8, reason: 'drained' });
    observer.workerEnded({ lane: 'token', pid: 9, reason: 'stopped' });
    observer.workerFailed({ lane: 'token', message: 'no such token' });
    observer.moduleOutput({ lane: 'token', pid: 10, line: 'hello' });

    const text = await metrics.registry.metrics();
    expect(text).toContain('p11kms_token_workers_killed_total{lane="token"} 1');
    expect(text).toContain('p11kms_token_workers_replaced_total{lane="token",reason="killed"} 1');
    expect(text).toContain('p11kms_token_workers_replaced_total{lane="token",reason="drained"} 1');
    expect(text).not.toContain('reason="stopped"');
    expect(text).toContain('p11kms_token_worker_start_failures_total{lane="token"} 1');
    expect(lines().map(({ level, pid }) => [level, pid])).toEqual([
      ['info', 7],
      ['warn', 7],
      ['info', 8],
      ['info', 9],
      ['error', undefined],
      ['warn', 10],
    ]);
  });
});
