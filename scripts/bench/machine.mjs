import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { childrenOf } from './processes.mjs';

export function describeMachine() {
  const [cpu] = cpus();
  return { cores: availableParallelism(), cpu: cpu?.model.trim() ?? 'unknown', node: process.version };
}

/**
 * Watches who uses the processors from now on. The function that it returns tells what share of their time (0 to
 * 1) went to processes that have nothing to do with the benchmark, which is made of this process, the one with
 * `servicePid` and its children, and those with `otherPids`.
 */
export function watchProcessors(servicePid, otherPids) {
  const read = () => {
    const own = [process.pid, servicePid, ...childrenOf(servicePid), ...otherPids].map(ticksOf);
    return { own: own.reduce((total, ticks) => total + ticks, 0), ...allTicks() };
  };
  const before = read();
  return () => {
    const after = read();
    const [busy, own, total] = ['busy', 'own', 'total'].map((field) => after[field] - before[field]);
    return Math.max(0, (busy - own) / total);
  };
}

/** The clock ticks that a process, and those of its children that have ended, have used. See proc(5). */
function ticksOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field may hold anything, in brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((total, ticks) => total + Number(ticks), 0);
}

function allTicks() {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const [user, nice, system, idle, ioWait, irq, softIrq, steal] = line.split(/ +/).slice(1).map(Number);
  const busy = user + nice + system + irq + softIrq + steal;
  return { busy, total: busy + idle + ioWait };
}
