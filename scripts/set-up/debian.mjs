import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findSoftHsm } from '../../softhsm/token-directory.mjs';
import { say } from './checkout.mjs';
import { runQuietly } from './quiet.mjs';
import { SetUpError } from './run-script.mjs';

const NSS_MODULES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].flatMap((directory) => [
  join(directory, 'libsoftokn3.so'),
  join(directory, 'nss', 'libsoftokn3.so'),
]);

/** A directory for each version. */
const POSTGRESQL = '/usr/lib/postgresql';

/** Says to Debian's package, while it is installed, that nobody wants the server which it would start. */
const NO_SERVER = '/etc/postgresql-common/createcluster.d/p11kms-set-up.conf';

/** Debian packages by what they are for, and how one sees that what they bring is there, from wherever. */
const PACKAGES = {
  token: [['softhsm2', () => findSoftHsm() !== undefined]],
  compiler: [
    ['python3', () => isCommand('python3')],
    ['make', () => isCommand('make')],
    ['g++', () => isCommand('g++')],
  ],
  tests: [
    ['libnss3', () => NSS_MODULES.some(existsSync)],
    ['libnss3-tools', () => isCommand('certutil')],
    ['gcc', () => isCommand('gcc')],
    ['curl', () => isCommand('curl')],
    ['postgresql', () => isInstalled(POSTGRESQL, join('bin', 'initdb'))],
  ],
};

/** The Debian packages that are missing for these purposes (keys of PACKAGES). */
export function missingPackages(purposes) {
  return purposes.flatMap((purpose) =>
    PACKAGES[purpose].filter(([, isThere]) => !isThere()).map(([name]) => name),
  );
}

/** Installs Debian packages. Throws SetUpError, which names them, where that is not possible. */
export function installPackages(names) {
  const list = names.join(' ');
  if (!isCommand('apt-get'))
    throw new SetUpError(`install what Debian calls ${list} by hand, then start again`);
  const asRoot = rootPrefix();
  if (asRoot === undefined) {
    throw new SetUpError(
      `may not install Debian packages here (not root, and no sudo without a password); run: sudo apt-get install ${list}`,
    );
  }
  say(`installing the Debian packages ${list}`);
  // A machine's own updates may hold dpkg's lock for a while after it has started.
  const aptGet = [
    ...asRoot,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-q',
    '-o',
    'DPkg::Lock::Timeout=300',
  ];
  const run = (what, args) => runQuietly(what, ...split([...aptGet, ...args]));
  run('apt-get update', ['update']);
  const install = () =>
    run(`apt-get install ${list}`, ['install', '-y', '--no-install-recommends', ...names]);
  if (names.includes('postgresql')) withoutServer(asRoot, install);
  else install();
}

function withoutServer(asRoot, install) {
  const sh = (script) => runQuietly(script, ...split([...asRoot, 'env', 'sh', '-c', script]));
  sh(`mkdir -p ${dirname(NO_SERVER)} && echo 'create_main_cluster = false' > ${NO_SERVER}`);
  try {
    install();
  } finally {
    sh(`rm ${NO_SERVER}`);
  }
}

const split = ([command, ...args]) => [command, args];

/** What stands before a command so that root runs it; nothing where that cannot be. */
function rootPrefix() {
  if (process.getuid() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined;
}

function isInstalled(directory, file) {
  return (
    existsSync(directory) && readdirSync(directory).some((name) => existsSync(join(directory, name, file)))
  );
}

function isCommand(name) {
  return (process.env.PATH ?? '').split(':').some((directory) => isExecutable(join(directory, name)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
