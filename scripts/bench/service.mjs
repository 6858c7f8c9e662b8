import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSoftHsm, tokenEnvironment } from '../../softhsm/token-directory.mjs';
import { inRoot } from '../set-up/checkout.mjs';
import { SetUpError } from '../set-up/run-script.mjs';
import { readCredentials, signedRequest } from '../signed-request.mjs';
import { parseMetrics } from './metrics.mjs';
import { killFamily } from './processes.mjs';

const START_MS = 30_000;
const END_MS = 12_000;
const POLL_MS = 20;
const LOG_TAIL_BYTES = 2_000;

/** The settings that a measurement may want to vary. */
const PASSED_ON = ['P11KMS_TOKEN_WORKERS', 'P11KMS_KEY_PAIR_WORKERS'];

/** Makes a SoftHSM2 token in `directory`; returns the environment in which a process finds it. */
export function makeToken(directory) {
  const module = findSoftHsm();
  if (module === undefined) throw new SetUpError('SoftHSM2 is not installed: run npm start or npm test once');
  const foreign = (name) =>
    (name.startsWith('P11KMS_') && !PASSED_ON.includes(name)) || name === 'SOFTHSM2_CONF';
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign(name)));
  const { status } = spawnSync(process.execPath, [inRoot('softhsm/init-token.mjs')], {
    env: { ...env, P11KMS_DATA_DIR: directory },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new SetUpError('no token to measure on');
  return { ...env, ...tokenEnvironment(directory, module) };
}

/**
 * Starts the built service with its default settings on a free port and waits until it is ready; its log goes
 * to a file in `directory`. What has to be undone is pushed to `cleanUp`. Throws SetUpError, with the end of the
 * log, where it does not start.
 */
export async function startService(directory, env, cleanUp) {
  const logFile = join(directory, 'service.log');
  const log = openSync(logFile, 'w', 0o600);
  const child = spawn(process.execPath, [inRoot('dist/main.js'), 'serve'], {
    env: { ...env, P11KMS_PORT: '0' },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  cleanUp.push(() => {
    // The id of a process that has ended may be somebody else's by now.
    if (child.exitCode === null && child.signalCode === null) killFamily(child.pid);
  });
  const logTail = () => readFileSync(logFile, 'utf8').slice(-LOG_TAIL_BYTES);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  try {
    const url = await readyUrl(child, logFile);
    const credentials = readCredentials(join(env.P11KMS_DATA_DIR, 'credentials'));
    return { ...client(url, credentials), pid: child.pid, logTail, exited, stop: () => stop(child, exited) };
  } catch (error) {
    throw new SetUpError(`the service did not start: ${error.message}\n${logTail()}`);
  }
}

async function readyUrl(child, logFile) {
  const until = performance.now() + START_MS;
  while (performance.now() < until) {
    const line = readFileSync(logFile, 'utf8')
      .split('\n')
      .find((text) => text.includes('"p11kms is ready"'));
    if (line) return JSON.parse(line).url;
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`);
    await sleep(POLL_MS);
  }
  throw new Error(`not ready after ${START_MS / 1000} s`);
}

async function stop(child, exited) {
  child.kill('SIGTERM');
  const late = sleep(END_MS, 'late', { ref: false });
  if ((await Promise.race([exited, late])) === 'late') child.kill('SIGKILL');
}

function client(url, credentials) {
  const metrics = async () => parseMetrics(await (await fetch(`${url}/metrics`)).text());
  const request = (target, input) => signedRequest(url, target, input, { credentials, region: 'us-east-1' });
  return {
    metrics,
    /** A request as the load tool wants it; it can be sent for five minutes. */
    request,
    /** One request and its answer. Throws where that is an error. */
    async call(target, input) {
      const { headers, body } = await request(target, input);
      const answer = await fetch(url, { method: 'POST', headers, body });
      const output = await answer.json();
      if (!answer.ok) throw new Error(`${target} was answered with ${JSON.stringify(output)}`);
      return output;
    },
    /** Waits until no worker has a job: what the load tool left behind must not weigh on what comes next. */
    async idle() {
      for (;;) {
        const now = await metrics();
        const left = now.total('p11kms_token_lane_depth') + now.total('p11kms_token_lane_busy');
        if (left === 0) return;
        await sleep(POLL_MS);
      }
    },
  };
}
