import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Why a file cannot be used. The message follows the file's name or its setting's: "does not exist". */
export class FileFault extends Error {
  override readonly name = 'FileFault';
}

const REASONS = new Map([
  ['ENOENT', 'does not exist'],
  ['ENOTDIR', 'does not exist'],
  ['EACCES', 'may not be read by this user'],
  ['EPERM', 'may not be read by this user'],
]);

function reasonOf(error: unknown): string {
  const code = typeof error === 'object' && error && 'code' in error ? String(error.code) : 'unknown error';
  return REASONS.get(code) ?? `cannot be read (${code})`;
}

/** Opens a regular file for reading; closes it when `use` returns. Throws FileFault. */
function withFile<T>(path: string, use: (fd: number, size: number, mode: number) => T): T {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK a named pipe that nobody writes to would block the start for good.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new FileFault('is not a regular file');
    return use(fd, size, mode);
  } catch (error) {
    throw error instanceof FileFault ? error : new FileFault(reasonOf(error));
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Throws FileFault unless `path` is a regular file that this process may read. */
export function assertReadable(path: string): void {
  withFile(path, () => undefined);
}

/**
 * The bytes of a regular file of at most `limit` bytes, and whether its group or others may read it.
 * Throws FileFault.
 */
export function readSmallFile(path: string, limit: number): { bytes: Buffer; exposed: boolean } {
  return withFile(path, (fd, size, mode) => {
    if (size > limit) throw new FileFault(`is longer than ${limit} bytes`);
    return { bytes: readFileSync(fd), exposed: (mode & (constants.S_IRGRP | constants.S_IROTH)) !== 0 };
  });
}
