import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';

/** RSA pairs that wait behind thirty others take seconds. */
const TIMEOUT_SECONDS = 120;
/** The load tool looks this often whether it shall stop. */
const STOP_CHECK_MS = 50;
/** Every run is ended by `stop`, long before. */
const ENDLESS_SECONDS = 86_400;

/**
 * Keeps `connections` requests in flight until it is stopped. `headers` and `body` are those of a POST request.
 * An answer that is not 2xx, and a request that gets none, is an error, counted by what went wrong.
 */
export function startLoad({ url, headers, body }, connections) {
  const errors = new Map();
  let latencies = [];
  const fail = (what) => errors.set(what, (errors.get(what) ?? 0) + 1);
  const run = autocannon({
    url,
    method: 'POST',
    headers,
    body,
    connections,
    duration: ENDLESS_SECONDS,
    timeout: TIMEOUT_SECONDS,
    sampleInt: STOP_CHECK_MS,
  });
  run.on('response', (_client, status, _bytes, ms) => {
    if (status >= 200 && status < 300) latencies.push(ms);
    else fail(`HTTP ${status}`);
  });
  run.on('reqError', (error) => fail(error.code ?? error.message));
  return {
    errors,
    /** Resolves after `ms` to the latencies, in milliseconds, of the requests that were answered in that time. */
    async record(ms) {
      latencies = [];
      const begun = performance.now();
      await sleep(ms);
      const answered = latencies;
      return { latencies: answered, perSecond: (answered.length * 1000) / (performance.now() - begun) };
    },
    async stop() {
      run.stop();
      await run;
    },
  };
}
