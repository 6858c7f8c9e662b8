import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * Runs a Node program with this process's terminal until it ends. Signals to this process go on to it.
 * Returns the child, and a promise of the exit code that a shell would see (128 + n for signal n).
 */
export function runInForeground(args, env) {
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  const exitCode = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal === null ? code : 128 + constants.signals[signal]));
  });
  return { child, exitCode };
}
