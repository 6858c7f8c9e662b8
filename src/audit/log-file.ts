/**
 * A file whose space is taken before it is needed: it is extended with line breaks, and records overwrite them. Line
 * breaks, because whoever reads the file meanwhile reads empty lines.
 */
import {
  close,
  closeSync,
  fdatasync,
  fsync,
  fsyncSync,
  ftruncate,
  openSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

export interface LogFile {
  readonly path: string;
  /** Bytes of records. */
  readonly written: number;
  /** Bytes on disk, records and line breaks. */
  readonly allocated: number;
  /**
   * Extends the file; where that fails its size is what it was.
   *
   * @throws NoRoomError where there is no more to be had; anything else means that nobody knows what is on disk
   */
  grow(bytes: number): Promise<void>;
  /** Puts whole lines behind the others; they are on disk when it resolves. There must be room for them. */
  append(lines: Buffer): Promise<void>;
  /** Gives back what was not used, and closes the file. */
  finish(): Promise<void>;
  /** Closes a file whose state nobody knows, and leaves it as it is. */
  abandon(): Promise<void>;
}

/** There is no more room now, and there may be later. What has been written is not in doubt. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
  /** Because the disk, or what one may have of it, is full. */
  readonly isFull: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause });
    this.isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(cause.code ?? '');
  }
}

const LINE_BREAKS = Buffer.alloc(65_536, '\n');

/**
 * Makes a file with so many bytes of room.
 *
 * @throws NoRoomError where that cannot be; then there is no file either
 */
export async function createLogFile(path: string, bytes: number): Promise<LogFile> {
  let file: LogFile | undefined;
  try {
    file = logFile(path, openSync(path, 'wx', 0o600));
    await file.grow(bytes);
    syncDirectory(dirname(path));
    return file;
  } catch (error) {
    if (file) {
      await file.abandon();
      unlinkSync(path);
    }
    // Nothing is in it that could be in doubt.
    throw error instanceof NoRoomError ? error : new NoRoomError(error as NodeJS.ErrnoException);
  }
}

/** Makes names in a directory survive a power cut. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function logFile(path: string, fd: number): LogFile {
  let written = 0;
  let allocated = 0;
  return {
    path,
    get written() {
      return written;
    },
    get allocated() {
      return allocated;
    },
    async grow(bytes) {
      try {
        await pad(fd, allocated, bytes);
      } catch (error) {
        await promisify(ftruncate)(fd, allocated);
        throw new NoRoomError(error as NodeJS.ErrnoException);
      }
      await promisify(fdatasync)(fd);
      allocated += bytes;
    },
    async append(lines) {
      if (written + lines.length > allocated)
        throw new Error('more was to be recorded than there is room for');
      // Into the page cache, at once: another thread would take longer to be told.
      for (let done = 0; done < lines.length; )
        done += writeSync(fd, lines, done, lines.length - done, written + done);
      await promisify(fdatasync)(fd);
      written += lines.length;
    },
    async finish() {
      await promisify(ftruncate)(fd, written);
      await promisify(fsync)(fd);
      await promisify(close)(fd);
    },
    abandon: () => promisify(close)(fd),
  };
}

async function pad(fd: number, from: number, bytes: number): Promise<void> {
  for (let done = 0; done < bytes; ) {
    const length = Math.min(LINE_BREAKS.length, bytes - done);
    done += (await promisify(write)(fd, LINE_BREAKS, 0, length, from + done)).bytesWritten;
  }
}
