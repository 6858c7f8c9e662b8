import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataDirectory, TokenRefused } from './settings.mjs';

export const TOKEN_LABEL = 'p11kms';

/** Where Debian, for each of its architectures, and a build from source put SoftHSM2. */
const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

/** The SoftHSM2 module's path, or nothing where it is not installed. */
export function findSoftHsm() {
  return MODULES.find((path) => existsSync(path));
}

/** The settings that belong to one token: given without a module they would name a token that is not ours. */
const OF_A_TOKEN = ['P11KMS_TOKEN_LABEL', 'P11KMS_PIN', 'P11KMS_PIN_FILE'];

/**
 * True where no PKCS#11 module is configured, which asks for a SoftHSM2 token in the data directory, or where
 * a shell sourced that token's `env`. Any other module is somebody's own token: nothing is ever made for that.
 * Throws TokenRefused.
 */
export function asksForOwnToken(settings) {
  if (settings.unreadable) return false;
  const { conf, pin } = tokenFiles(dataDirectory(settings));
  if (settings.env.SOFTHSM2_CONF === conf && settings.env.P11KMS_PIN_FILE === pin) return true;
  if (settings.get('P11KMS_PKCS11_MODULE') !== undefined) return false;
  const stray = OF_A_TOKEN.filter((name) => settings.get(name) !== undefined);
  if (stray.length === 0) return true;
  throw new TokenRefused(
    `${stray.join(', ')} without P11KMS_PKCS11_MODULE: set that too for a token of your own, or leave all of them away for a SoftHSM2 token`,
  );
}

/** The files of the token that belongs to a data directory. */
export function tokenFiles(dataDir) {
  const root = join(dataDir, 'softhsm');
  return {
    root,
    conf: join(root, 'softhsm2.conf'),
    tokens: join(root, 'tokens'),
    pin: join(root, 'pin'),
    soPin: join(root, 'so-pin'),
    env: join(root, 'env'),
  };
}

/**
 * Whether the data directory's token is there: true, or false where none was ever made. The directory
 * appears whole, by a rename, so one that lacks a part was damaged later. Throws TokenRefused for that, and
 * where a store has lost its token: a new token would be one that cannot read a single key of the store.
 */
export function tokenIsThere(dataDir) {
  const { root, tokens, pin } = tokenFiles(dataDir);
  if (existsSync(root)) {
    const missing = [...(holdsToken(tokens) ? [] : ['its token']), ...(existsSync(pin) ? [] : ['its PIN'])];
    if (missing.length === 0) return true;
    throw new TokenRefused(
      `${root} has lost ${missing.join(' and ')}: put it back from a backup; nothing is made in its place`,
    );
  }
  if (!existsSync(join(dataDir, 'p11kms.sqlite'))) return false;
  throw new TokenRefused(
    `${dataDir} holds a store, but its token is gone (${root}): put that back from a backup, or use another P11KMS_DATA_DIR`,
  );
}

/** SoftHSM2 makes a directory for each token, and this file in it. */
function holdsToken(tokens) {
  if (!existsSync(tokens)) return false;
  return readdirSync(tokens).some((name) => existsSync(join(tokens, name, 'token.object')));
}

/** A softhsm2.conf for tokens in `tokens`, an absolute path: SoftHSM2 does not know relative ones. */
export function softHsmConf(tokens) {
  return [
    `directories.tokendir = ${tokens}`,
    'objectstore.backend = file',
    'log.level = ERROR',
    'slots.removable = false',
    '',
  ].join('\n');
}

/**
 * The environment with which the service finds the data directory's token. Rewrites what holds absolute
 * paths (softhsm2.conf, and `env` for people's shells), because the directory may have been moved.
 */
export function tokenEnvironment(dataDir, module) {
  const files = tokenFiles(dataDir);
  const environment = {
    SOFTHSM2_CONF: files.conf,
    P11KMS_PKCS11_MODULE: module,
    P11KMS_TOKEN_LABEL: TOKEN_LABEL,
    P11KMS_PIN_FILE: files.pin,
    P11KMS_DATA_DIR: dataDir,
  };
  if (tokenDirOf(files.conf) !== files.tokens) writeWhole(files.conf, softHsmConf(files.tokens));
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`);
  if (read(files.env) !== lines.join('')) writeWhole(files.env, lines.join(''));
  return environment;
}

/** One word of a POSIX shell. */
export function shellQuote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function tokenDirOf(conf) {
  return /^\s*directories\.tokendir\s*=\s*(.*?)\s*$/m.exec(read(conf))?.[1];
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** A reader sees the old file or the new one, whenever this process is killed. */
function writeWhole(path, text) {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, text, { mode: 0o600 });
  renameSync(next, path);
}
