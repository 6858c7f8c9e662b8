/**
 * Makes the SoftHSM2 token of a data directory if there is none yet, and prints the path of a file that a
 * shell sources to use it. Prints nothing where a PKCS#11 module is configured: that token is not ours.
 *
 * The token is made through PKCS#11, because softhsm2-util wants the PINs as arguments, which every user of
 * the machine can read. It is made in a directory beside its place and renamed when it is complete, so
 * a start that is killed half-way leaves nothing that looks like a token.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dataDirectory, readSettings, TokenRefused } from './settings.mjs';
import {
  asksForOwnToken,
  findSoftHsm,
  softHsmConf,
  TOKEN_LABEL,
  tokenEnvironment,
  tokenFiles,
  tokenIsThere,
} from './token-directory.mjs';

const UNFINISHED = 'softhsm.unfinished-';

async function main() {
  const settings = readSettings(process.env);
  if (!asksForOwnToken(settings)) return 0;
  const dataDir = dataDirectory(settings);
  const module = findSoftHsm();
  if (module === undefined) throw new TokenRefused('SoftHSM2 is not installed (Debian package softhsm2)');
  if (!tokenIsThere(dataDir)) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (!process.argv.includes('--locked')) return runLocked(dataDir);
    await makeToken(dataDir, module);
  }
  tokenEnvironment(dataDir, module);
  console.log(tokenFiles(dataDir).env);
  return 0;
}

/** Runs this program again while no other one makes a token here. The kernel drops the lock of a killed one. */
function runLocked(dataDir) {
  const self = fileURLToPath(import.meta.url);
  const { status, error } = spawnSync('flock', [dataDir, process.execPath, self, '--locked'], {
    stdio: 'inherit',
  });
  if (error) throw new TokenRefused(`cannot run flock (Debian package util-linux): ${error.message}`);
  return status ?? 1;
}

async function makeToken(dataDir, module) {
  // Under the lock whatever is unfinished was left by a start that was killed; no PIN of it was ever used.
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
  const unfinished = mkdtempSync(join(dataDir, UNFINISHED));
  const pin = randomPin();
  const soPin = randomPin();
  for (const [name, content] of [
    ['pin', pin],
    ['so-pin', soPin],
  ]) {
    writeFileSync(join(unfinished, name), content, { mode: 0o600, flag: 'wx' });
  }
  const tokens = join(unfinished, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  const conf = join(unfinished, 'softhsm2.conf');
  writeFileSync(conf, softHsmConf(tokens), { mode: 0o600 });
  await initialize(module, conf, pin, soPin);
  writeFileSync(conf, softHsmConf(tokenFiles(dataDir).tokens));
  // The PIN must not reach the disk after the first key does: without it the keys are lost.
  syncTree(unfinished);
  // Fails if the directory exists: an existing token is never replaced.
  renameSync(unfinished, tokenFiles(dataDir).root);
  sync(dataDir);
}

async function initialize(module, conf, pin, soPin) {
  // Before the module is loaded: SoftHSM2 asks the C library's environment, which this sets.
  process.env.SOFTHSM2_CONF = conf;
  const { Module, SessionFlag, TokenFlag, UserType } = await import('graphene-pk11');
  const softHsm = Module.load(module, 'SoftHSM2');
  softHsm.initialize();
  try {
    const slots = softHsm.getSlots(true);
    const free = Array.from({ length: slots.length }, (_none, index) => slots.items(index)).find(
      (slot) => (slot.getToken().flags & TokenFlag.TOKEN_INITIALIZED) === 0,
    );
    if (free === undefined) throw new TokenRefused(`${module} has no slot without a token`);
    // Not free.initToken(): it expects an answer that C_InitToken does not have, and throws after the deed.
    free.lib.C_InitToken(free.handle, soPin, TOKEN_LABEL);
    const session = free.open(SessionFlag.SERIAL_SESSION | SessionFlag.RW_SESSION);
    session.login(soPin, UserType.SO);
    session.initPin(pin);
    session.logout();
    session.close();
  } finally {
    softHsm.finalize();
  }
}

/** 144 bits, in characters that need no quoting anywhere and begin no option. */
function randomPin() {
  return randomBytes(18).toString('hex');
}

function syncTree(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else sync(path);
  }
  sync(directory);
}

function sync(path) {
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
}

try {
  process.exitCode = await main();
} catch (error) {
  // A message of graphene's names the call that failed and its CKR code, which is what the operator needs.
  console.error(`p11kms: no SoftHSM2 token: ${error.message}`);
  process.exitCode = 1;
}
