import { existsSync, readFileSync } from 'node:fs';

const DEATH_MS = 2_000;
const POLL_MS = 10;

/** The process ids of a process's children; none where it has ended. */
export function childrenOf(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : [];
}

/**
 * Kills a process and its children, and returns when they are dead: what they had open stays as it is from then
 * on. Blocks, because it is for the very end.
 */
export function killFamily(pid) {
  const family = [pid, ...childrenOf(pid)];
  for (const member of family) kill(member);
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const until = performance.now() + DEATH_MS;
  while (family.some(isAlive) && performance.now() < until) Atomics.wait(clock, 0, 0, POLL_MS);
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // A zombie waits for this process to hear of its end, which it does when it goes on.
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z';
  } catch {
    return false;
  }
}
