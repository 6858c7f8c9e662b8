import { inRoot, ROOT } from './checkout.mjs';
import { runInForeground } from './foreground.mjs';
import { prepare } from './prepare.mjs';

/** Sets everything up that the tests need and is missing, then runs jest. Returns its exit code. */
export function test(args) {
  prepare(['token', 'tests', 'build']);
  const jest = [inRoot('node_modules/jest/bin/jest.js'), '--rootDir', ROOT, ...args];
  return runInForeground(jest, withoutToken(process.env)).exitCode;
}

/** The tests make their own tokens: nothing that this shell says of another one may reach them. */
function withoutToken(env) {
  const foreign = (name) => name.startsWith('P11KMS_') || name === 'SOFTHSM2_CONF';
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign(name)));
}
