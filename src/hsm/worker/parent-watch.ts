/**
 * A thread of its own in every token worker. A worker that hangs in native code does not notice that its channel
 * has closed; this thread sees that the parent is gone and ends the process, so that nothing outlives the service.
 */
import { workerData } from 'node:worker_threads';

const CHECK_MS = 200;
/** SoftHSM writes its token's file anew at each login, in place: who is killed meanwhile leaves an empty one. */
const LOGIN_GRACE_MS = 1_000;

const { parent, loggingIn } = workerData as { readonly parent: number; readonly loggingIn: Int32Array };
let goneMs = 0;

setInterval(() => {
  if (process.ppid === parent) return;
  if (Atomics.load(loggingIn, 0) === 0 || goneMs >= LOGIN_GRACE_MS) process.kill(process.pid, 'SIGKILL');
  goneMs += CHECK_MS;
}, CHECK_MS);
