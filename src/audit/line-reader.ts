import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MAX_LINE_BYTES } from './lines';

export interface ReadLine {
  /** Without its line break; the beginning only of one that is longer than any can be. Good until the next is asked for. */
  readonly bytes: Buffer;
  /** Which line of the file it is, from 1. */
  readonly number: number;
  /** Where in the file it begins. */
  readonly offset: number;
  /** Empty lines right before it. */
  readonly emptyBefore: number;
  /** Whether a line break stands behind it. */
  readonly isWhole: boolean;
}

const CHUNK_BYTES = 1_048_576;
const LINE_BREAK = 0x0a;

/** The lines of a file that are not empty. Files may be larger than memory. */
export function* readLines(file: string): Generator<ReadLine, void> {
  const fd = openSync(file, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let at = { number: 0, emptyBefore: 0, offset: 0 };
    // What is written meanwhile is not looked for. Most files are small, and there may be thousands.
    const { size } = fstatSync(fd);
    for (let position = 0; position < size; ) {
      const wanted = Math.min(CHUNK_BYTES, size - position);
      const chunk = Buffer.allocUnsafe(rest.length + wanted);
      rest.copy(chunk);
      const read = readSync(fd, chunk, rest.length, wanted, position);
      if (read === 0) break;
      position += read;
      const bytes = chunk.subarray(0, rest.length + read);
      let begin = 0;
      for (let end = bytes.indexOf(LINE_BREAK); end >= 0; end = bytes.indexOf(LINE_BREAK, begin)) {
        at = { ...at, number: at.number + 1 };
        if (end === begin) at.emptyBefore++;
        else {
          yield { ...at, bytes: bytes.subarray(begin, end), isWhole: true };
          at.emptyBefore = 0;
        }
        at.offset += end + 1 - begin;
        begin = end + 1;
      }
      rest = bytes.subarray(begin);
      if (rest.length > MAX_LINE_BYTES) break;
    }
    if (rest.length > 0) yield { ...at, number: at.number + 1, bytes: rest, isWhole: false };
  } finally {
    closeSync(fd);
  }
}

/** What links a line to its chain. */
export interface Link {
  readonly seq: number;
  readonly prev: string;
  readonly type: string;
  /** Everything else that the line says. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** What a line says; nothing where it is not a line of an audit record. */
export function parseLine(bytes: Buffer): Link | undefined {
  try {
    const members = JSON.parse(bytes.toString('utf8'));
    const { seq, prev, type } = members;
    if (!Number.isSafeInteger(seq) || typeof prev !== 'string' || typeof type !== 'string') return undefined;
    return { seq, prev, type, members };
  } catch {
    return undefined;
  }
}
