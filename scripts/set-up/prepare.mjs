import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build, buildIsCurrent } from './build.mjs';
import { ROOT, say } from './checkout.mjs';
import { installPackages, missingPackages } from './debian.mjs';
import { installNpmPackages, npmMustRun, npmPackagesAreCurrent } from './npm-packages.mjs';
import { runScript, SetUpError } from './run-script.mjs';

const BUSY = 75;

/**
 * Brings the checkout into the state that these tasks need: 'token' and 'tests' (Debian's packages for them),
 * 'build' (dist/ is up to date), 'rebuild' (built anew, whatever is there). node_modules always. Does nothing
 * and costs a few milliseconds where all is there. Throws SetUpError.
 */
export function prepare(tasks) {
  if (isReady(tasks)) return;
  // One set-up at a time in a checkout. The lock is the kernel's, on the directory itself: it falls with
  // the last process of the set-up, also when that is an npm whose start was killed.
  const self = [process.execPath, fileURLToPath(import.meta.url), ...tasks];
  const underLock = (options) => spawnSync('flock', [...options, ROOT, ...self], { stdio: 'inherit' });
  let run = underLock(['--nonblock', '--conflict-exit-code', String(BUSY)]);
  if (run.status === BUSY) {
    say('another set-up is at work in this checkout; waiting for it');
    run = underLock([]);
  }
  if (run.error) throw new SetUpError(`cannot run flock (Debian package util-linux): ${run.error.message}`);
  // What failed has said why.
  if (run.status !== 0) process.exit(run.status ?? 1);
}

function isReady(tasks) {
  if (!npmPackagesAreCurrent() || tasks.includes('rebuild')) return false;
  if (missingPackages(purposes(tasks)).length > 0) return false;
  return !tasks.includes('build') || buildIsCurrent();
}

function purposes(tasks) {
  return tasks.filter((task) => task === 'token' || task === 'tests');
}

function carryOut(tasks) {
  const wanted = npmMustRun() ? [...purposes(tasks), 'compiler'] : purposes(tasks);
  const missing = missingPackages(wanted);
  if (missing.length > 0) installPackages(missing);
  if (!npmPackagesAreCurrent()) installNpmPackages();
  if (tasks.includes('rebuild') || (tasks.includes('build') && !buildIsCurrent())) build();
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await runScript(() => carryOut(process.argv.slice(2)));
