/** npm start: sets up whatever this machine lacks, then runs the service. */
import { runScript } from './set-up/run-script.mjs';

void runScript(async () => {
  const { start } = await import('./set-up/start.mjs');
  return start();
});
