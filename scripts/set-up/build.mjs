import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, ROOT, say } from './checkout.mjs';
import { runQuietly } from './quiet.mjs';

const DIST = inRoot('dist');
const STAMP = join(DIST, '.built-from');

/** Whether dist/ was built from the sources as they are, and not touched since by another compiler run. */
export function buildIsCurrent() {
  if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== fingerprint()) return false;
  const { mtimeMs } = statSync(STAMP);
  return filesUnder(DIST).every((path) => statSync(path).mtimeMs <= mtimeMs);
}

/** Compiles src/ into dist/ and removes from there what no source makes any more. Throws SetUpError. */
export function build() {
  say('building');
  const from = fingerprint();
  rmSync(STAMP, { force: true });
  const tsc = [
    inRoot('node_modules/typescript/bin/tsc'),
    '-p',
    'tsconfig.json',
    '--noEmitOnError',
    '--listEmittedFiles',
  ];
  const emitted = new Set(
    runQuietly('tsc', process.execPath, tsc)
      .split('\n')
      .filter((line) => line.startsWith('TSFILE: '))
      .map((line) => line.slice('TSFILE: '.length).trim()),
  );
  for (const path of filesUnder(DIST)) {
    if (!emitted.has(path)) rmSync(path);
  }
  // package.json names it as a command.
  chmodSync(join(DIST, 'main.js'), 0o755);
  writeFileSync(STAMP, from);
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const path of [
    ...filesUnder(inRoot('src')).sort(),
    inRoot('tsconfig.json'),
    inRoot('package-lock.json'),
  ]) {
    const content = readFileSync(path);
    hash.update(`${path.slice(ROOT.length)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function filesUnder(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
