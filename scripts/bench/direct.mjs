import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sum } from './statistics.mjs';

const PROCESS = fileURLToPath(new URL('direct-process.mjs', import.meta.url));

/**
 * Processes that make the token workers' PKCS#11 calls in a loop, with no service around them. They hold their
 * sessions, and sleep, between slices. What has to be undone is pushed to `cleanUp`.
 */
export async function startDirect(count, env, keyId, cleanUp) {
  const processes = [];
  const kill = () => {
    for (const { child } of processes) child.kill('SIGKILL');
  };
  cleanUp.push(kill);
  for (let index = 0; index < count; index++) {
    const one = startProcess(env, keyId);
    processes.push(one);
    // SoftHSM2 writes a token's file anew at each login: who begins at that moment finds no token.
    await one.answer();
  }
  return {
    kill,
    pids: processes.map(({ child }) => child.pid),
    /** Runs the loop for `leadMs` and then `ms`, in so many processes; tells the rate of the latter. */
    async run(operation, processCount, leadMs, ms) {
      const lent = processes.slice(0, processCount);
      const answers = Promise.all(lent.map(({ answer }) => answer()));
      for (const { child } of lent) child.send({ operation, leadMs, ms });
      return { perSecond: sum((await answers).map(({ perSecond }) => perSecond)) };
    },
  };
}

function startProcess(env, keyId) {
  const child = fork(PROCESS, [keyId], { env, execArgv: [] });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`a process of the direct loop ended: ${signal ?? `exit code ${code}`}`);
  });
  // That is for those who wait for an answer.
  ended.catch(() => undefined);
  return { child, answer: async () => (await Promise.race([once(child, 'message'), ended]))[0] };
}
