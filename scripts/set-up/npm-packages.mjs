import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inRoot, say } from './checkout.mjs';
import { runQuietly } from './quiet.mjs';
import { SetUpError } from './run-script.mjs';

const STAMP = inRoot('node_modules', '.p11kms-set-up');

/** The packages that compile: their addons load in one ABI version of Node only. */
const ADDONS = [
  inRoot('node_modules/better-sqlite3/build/Release/better_sqlite3.node'),
  inRoot('node_modules/pkcs11js/build/Release/pkcs11.node'),
];

/** Whether node_modules is what package-lock.json says, compiled for this Node. */
export function npmPackagesAreCurrent() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === fingerprint();
}

/** Whether installNpmPackages() will have to run npm, and so perhaps a compiler. */
export function npmMustRun() {
  return !npmPackagesAreCurrent() && !(treeMatchesLock() && addonsLoad());
}

/** Makes node_modules what package-lock.json says. Throws SetUpError. */
export function installNpmPackages() {
  if (npmMustRun()) {
    refuseLink();
    // Only a run that came to its end leaves a stamp, whatever the lock file says by then.
    rmSync(STAMP, { force: true });
    say('installing the npm packages; the native ones are compiled, which takes about two minutes');
    const [command, args] = npmCommand();
    runQuietly(
      'npm ci',
      command,
      [...args, 'ci', '--include=dev', '--no-audit', '--no-fund'],
      npmEnvironment(),
    );
  }
  writeFileSync(STAMP, fingerprint());
}

function fingerprint() {
  const lock = readFileSync(inRoot('package-lock.json'));
  return createHash('sha256')
    .update(`${process.versions.modules} ${process.arch}\n`)
    .update(lock)
    .digest('hex');
}

/** Somebody ran npm by hand: npm leaves this file, complete, as the last thing it does. */
function treeMatchesLock() {
  const installed = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const is = JSON.parse(readFileSync(installed, 'utf8')).packages;
  const { '': _root, ...wanted } = JSON.parse(readFileSync(inRoot('package-lock.json'), 'utf8')).packages;
  const same = (name) => wanted[name] !== undefined && wanted[name].integrity === is[name].integrity;
  return (
    Object.keys(is).every(same) && Object.keys(wanted).every((name) => is[name] || wanted[name].optional)
  );
}

function addonsLoad() {
  try {
    for (const path of ADDONS) process.dlopen({ exports: {} }, path);
    return true;
  } catch {
    return false;
  }
}

/** npm ci would empty the directory behind the link, which belongs to another checkout. */
function refuseLink() {
  const stat = lstatSync(inRoot('node_modules'), { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) {
    throw new SetUpError(
      'node_modules is a symbolic link to packages that do not match package-lock.json: remove it',
    );
  }
}

/** The npm that runs this script, or else the one on the PATH. */
function npmCommand() {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('npm-cli.js') && existsSync(npm) ? [process.execPath, [npm]] : ['npm', []];
}

function npmEnvironment() {
  const env = {
    ...process.env,
    // The addons are compiled here: their prebuilt binaries lie outside the package registries.
    npm_config_build_from_source: 'true',
    npm_config_ignore_scripts: 'false',
  };
  const headers = nodeHeaders();
  return headers === undefined ? env : { ...env, npm_config_nodedir: headers };
}

/** The prefix under which the running Node's own headers lie, so that node-gyp need not fetch them. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  const header = join(prefix, 'include/node/node_version.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
  const version = ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.');
  return version === process.versions.node ? prefix : undefined;
}
