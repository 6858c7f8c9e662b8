/** npm run build: compiles src/ into dist/, which afterwards holds nothing else. */
import { runScript } from './set-up/run-script.mjs';

void runScript(async () => {
  const { prepare } = await import('./set-up/prepare.mjs');
  return prepare(['rebuild']);
});
