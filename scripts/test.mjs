/** npm test: sets up whatever this machine lacks, then runs the tests; arguments go to jest. */
import { runScript } from './set-up/run-script.mjs';

void runScript(async () => {
  const { test } = await import('./set-up/test.mjs');
  return test(process.argv.slice(2));
});
