import { spawnSync } from 'node:child_process';
import { dataDirectory, readSettings, TokenRefused } from '../../softhsm/settings.mjs';
import {
  asksForOwnToken,
  findSoftHsm,
  tokenEnvironment,
  tokenIsThere,
} from '../../softhsm/token-directory.mjs';
import { isListening, serviceAddress, whenReady } from './address.mjs';
import { inRoot, say } from './checkout.mjs';
import { runInForeground } from './foreground.mjs';
import { prepare } from './prepare.mjs';
import { SetUpError } from './run-script.mjs';

/** Sets everything up that is missing, then runs the service. Returns the service's exit code. */
export async function start() {
  const settings = readSettings(process.env);
  const ownToken = orSetUpError(() => asksForOwnToken(settings));
  prepare(ownToken ? ['token', 'build'] : ['build']);
  const env = ownToken ? { ...process.env, ...provideToken(dataDirectory(settings)) } : process.env;

  const address = serviceAddress(settings);
  // Whoever has the port already would answer /readyz in the service's place.
  const wantsExample = ownToken && address !== undefined && !(await isListening(address));
  const { exitCode } = runInForeground([inRoot('dist/main.js'), 'serve'], env);
  const about = { env, region: regionOf(settings), dataDir: dataDirectory(settings) };
  if (wantsExample) await exampleWhile(exitCode, address, about);
  return await exitCode;
}

/** Makes the token where there is none; returns what the service must know of it. Throws SetUpError. */
function provideToken(dataDir) {
  return orSetUpError(() => {
    if (!tokenIsThere(dataDir)) {
      say(`making a SoftHSM2 token with a random PIN in ${dataDir}`);
      const { status } = spawnSync(process.execPath, [inRoot('softhsm/init-token.mjs')], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      if (status !== 0) process.exit(status ?? 1);
    }
    return tokenEnvironment(dataDir, findSoftHsm());
  });
}

/** The region that signatures are for. */
function regionOf(settings) {
  const [, , , region, account] = String(settings.get('P11KMS_ARN_PREFIX') ?? '').split(':');
  return settings.get('P11KMS_REGION') ?? (account === undefined ? 'us-east-1' : region);
}

/** The example, as soon as the service is ready; nothing where it ends before that. */
async function exampleWhile(exitCode, address, about) {
  const ended = new AbortController();
  exitCode.then(
    () => ended.abort(),
    () => ended.abort(),
  );
  if (!(await whenReady(address, ended.signal))) return;
  // It needs packages that are not there before the set-up.
  const { showExample } = await import('./example.mjs');
  await showExample(address, about, ended.signal);
}

/** A refusal and what the operating system refuses are for the operator; all else is a bug, with its stack. */
function orSetUpError(action) {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof TokenRefused) && error.syscall === undefined) throw error;
    throw new SetUpError(`no SoftHSM2 token: ${error.message}`);
  }
}
