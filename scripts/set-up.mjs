/** npm run set-up: installs what this machine lacks to build and to test, and nothing else. */
import { runScript } from './set-up/run-script.mjs';

void runScript(async () => {
  const { prepare } = await import('./set-up/prepare.mjs');
  return prepare(['token', 'tests']);
});
