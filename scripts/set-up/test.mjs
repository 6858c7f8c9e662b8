import { inRoot, ROOT } from './checkout.mjs';
import { runInForeground } from './foreground.mjs';
import { prepare } from './prepare.mjs';

/** Sets everything up that the tests need and is missing, then runs jest. Returns its exit code. */
export function test(args) {
  prepare(['token', 'tests', 'build']);
  const jest = [inRoot('node_modules/jest/bin/jest.js'), '--rootDir', ROOT, ...args];
  return runInForeground(jest, withoutOthers(process.env)).exitCode;
}

/** The tests make their own tokens and databases: nothing that this shell says of others may reach them. */
function withoutOthers(env) {
  const foreign = (name) => /^(P11KMS_|PG[A-Z])/.test(name) || name === 'SOFTHSM2_CONF';
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign(name)));
}
