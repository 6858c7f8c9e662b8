/**
 * A thread of its own in every token worker. A worker that hangs in native code does not notice that its channel
 * has closed; this thread sees that the parent is gone and ends the process, so that nothing outlives the service.
 */
import { workerData } from 'node:worker_threads';

const CHECK_MS = 200;
const parent = workerData as number;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, CHECK_MS);
