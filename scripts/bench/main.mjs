import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildIsCurrent } from '../set-up/build.mjs';
import { inRoot } from '../set-up/checkout.mjs';
import { SetUpError } from '../set-up/run-script.mjs';
import { HELP, readOptions } from './options.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Runs the benchmark that the command line asks for. Returns the exit code. Throws SetUpError. */
export async function bench(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  assertSetUp();
  const { runBench } = await import('./run.mjs');
  const cleanUp = [];
  // Also when something throws where nobody waits for it.
  process.on('exit', () => {
    for (const undo of cleanUp.reverse()) undo();
  });
  const signal = firstSignal();
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-bench-'));
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  const run = runBench(options, directory, cleanUp);
  const result = await Promise.race([run, signal]);
  // A load that a signal has cut short would keep the process alive.
  if (typeof result === 'string') process.exit(128 + constants.signals[result]);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  process.exit(result.errors === 0 ? 0 : 1);
}

function assertSetUp() {
  const missing = ['node_modules/autocannon', 'dist/main.js'].filter((path) => !existsSync(inRoot(path)));
  if (missing.length > 0) {
    throw new SetUpError(`${missing.join(' and ')} missing: run npm start or npm test once, then this again`);
  }
  if (!buildIsCurrent()) {
    process.stderr.write(
      'p11kms: dist/ was not built from src/ as it is now: this measures dist/ (npm run build makes it anew)\n',
    );
  }
}

/** Resolves to the first signal that asks this process to end. Later ones change nothing: the end is near. */
function firstSignal() {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve(signal));
  });
}
