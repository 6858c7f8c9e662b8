import { spawnSync } from 'node:child_process';
import { ROOT } from './checkout.mjs';
import { SetUpError } from './run-script.mjs';

const SHOWN_BYTES = 8_000;

/**
 * Runs a command in the checkout and returns its standard output. Its output is shown only where it fails,
 * and of that only the end, where the reason is. Throws SetUpError: `what` did not work.
 */
export function runQuietly(what, command, args, env = process.env) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error) throw new SetUpError(`${what} failed: ${error.message}`);
  if (status === 0) return stdout;
  process.stderr.write(`${(stdout + stderr).slice(-SHOWN_BYTES).trimEnd()}\n`);
  throw new SetUpError(`${what} failed (${signal ?? `exit code ${status}`}); what it printed stands above`);
}
