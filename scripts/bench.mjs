/** npm run bench: how fast the service is, beside a loop of the same PKCS#11 calls without a service. */
import { runScript } from './set-up/run-script.mjs';

void runScript(async () => {
  const { bench } = await import('./bench/main.mjs');
  return bench(process.argv.slice(2));
});
