import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of a process; nothing of one that has ended, also where nobody has noticed it yet. */
function status(pid: number): { readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : { parent: Number(parent) };
  } catch {
    return undefined;
  }
}

export const isAlive = (pid: number): boolean => status(pid) !== undefined;

/** The token workers that a process has started and that still run. */
export function workersOf(parent = process.pid): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => status(pid)?.parent === parent && isWorker(pid));
}

function isWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('hsm/worker/main.js');
  } catch {
    return false;
  }
}
