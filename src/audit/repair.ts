/**
 * What a process that did not end by itself left behind: line breaks that nothing was written over, and perhaps the
 * beginning of lines that were never on disk as a whole. Nobody was answered on account of those.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseLine, readLines } from './line-reader';
import { type Covered, hashOf, lockName, parseFileName, parseLockName } from './lines';
import { syncDirectory } from './log-file';

/** Holds a file's lock until what it returns is called; undefined where another process holds it. */
export type LockFile = (file: string) => (() => void) | undefined;

export interface Repair {
  readonly chain: string;
  /** The file that the chain now ends in. */
  readonly file: string;
  /** The chain's last whole line. */
  readonly end: Covered;
  /** What was cut off, line breaks not counted. */
  readonly droppedBytes: number;
  /** False where the store knows more of the chain than there is: that is no work of a crash, and was left as it is. */
  readonly done: boolean;
}

/**
 * Repairs the chains of processes that are gone.
 *
 * @param known the sequence of the last line that the store knows of a chain
 */
export function repairChains(dir: string, lock: LockFile, known: (chain: string) => number): Repair[] {
  const repairs: Repair[] = [];
  const names = readdirSync(dir).sort();
  const files = filesOf(names);
  for (const name of names) {
    const chain = parseLockName(name);
    const unlock = chain && lock(join(dir, name));
    if (!chain || !unlock) continue;
    try {
      const repair = repairChain(dir, chain, files.get(chain) ?? [], known(chain));
      if (repair) repairs.push(repair);
      rmSync(join(dir, lockName(chain)));
    } finally {
      unlock();
    }
  }
  syncDirectory(dir);
  return repairs;
}

interface Tail {
  /** The last whole line; absent where there is none. */
  readonly end: Covered | undefined;
  /** Where in the file that ends. */
  readonly bytes: number;
  /** What is behind it, line breaks not counted. */
  readonly tornBytes: number;
}

/** The files of each chain, the last first. */
function filesOf(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  for (const name of names) {
    const chain = parseFileName(name)?.chain;
    if (chain) files.set(chain, [name, ...(files.get(chain) ?? [])]);
  }
  return files;
}

function repairChain(
  dir: string,
  chain: string,
  files: readonly string[],
  known: number,
): Repair | undefined {
  const empty: string[] = [];
  let droppedBytes = 0;
  for (const [index, file] of files.entries()) {
    const { end, bytes, tornBytes } = tailOf(join(dir, file));
    droppedBytes += tornBytes;
    if (!end) {
      empty.push(file);
      continue;
    }
    if (end.sequence < known) return { chain, file, end, droppedBytes: 0, done: false };
    trim(join(dir, file), bytes);
    trimBefore(dir, files[index + 1]);
    remove(dir, empty);
    return { chain, file, end, droppedBytes, done: true };
  }
  // A chain whose first line never came to the disk.
  if (known === 0) remove(dir, empty);
  return undefined;
}

/** The file before the last may have been left a moment before it could be trimmed. What is wrong with it stays so. */
function trimBefore(dir: string, file: string | undefined): void {
  if (file === undefined) return;
  const { end, bytes, tornBytes } = tailOf(join(dir, file));
  if (end && tornBytes === 0) trim(join(dir, file), bytes);
}

function remove(dir: string, files: readonly string[]): void {
  for (const file of files) rmSync(join(dir, file));
}

/** How far the lines of a file follow each other. */
function tailOf(file: string): Tail {
  let end: Covered | undefined;
  let bytes = 0;
  let tornBytes = 0;
  for (const line of readLines(file)) {
    const link = tornBytes === 0 && line.isWhole ? parseLine(line.bytes) : undefined;
    const follows = link && (!end || (link.seq === end.sequence + 1 && link.prev === end.hash));
    if (follows) {
      end = { sequence: link.seq, hash: hashOf(line.bytes) };
      bytes = line.offset + line.bytes.length + 1;
    } else {
      tornBytes += line.bytes.length;
    }
  }
  return { end, bytes, tornBytes };
}

function trim(file: string, bytes: number): void {
  if (statSync(file).size === bytes) return;
  const fd = openSync(file, 'r+');
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
