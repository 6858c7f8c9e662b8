/**
 * A thread of its own in every token worker. A worker that hangs in native code does not notice that its channel
 * has closed; this thread sees that the parent is gone and ends the process, so that nothing outlives the service.
 */
import { workerData } from 'node:worker_threads';

const CHECK_MS = 200;
/**
 * SoftHSM writes files in place: who is killed meanwhile leaves an empty one. That of the token itself, which each login
 * writes, is the end of it; that of an object is only in the way, and a job that does not hang is done soon.
 */
const GRACE_MS = { login: 1_000, job: CHECK_MS } as const;

const { parent, loggingIn } = workerData as { readonly parent: number; readonly loggingIn: Int32Array };
let goneMs = 0;

setInterval(() => {
  if (process.ppid === parent) return;
  const graceMs = Atomics.load(loggingIn, 0) === 0 ? GRACE_MS.job : GRACE_MS.login;
  if (goneMs >= graceMs) process.kill(process.pid, 'SIGKILL');
  goneMs += CHECK_MS;
}, CHECK_MS);
