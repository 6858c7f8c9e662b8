import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartError } from '../../../src/errors';

/** A directory of this test file's own. */
export const dir = mkdtempSync(join(tmpdir(), 'p11kms-config-'));
chmodSync(dir, 0o755);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let serial = 0;

/** A new file with the mode given, whatever the umask. */
export function file(content: string | Buffer, mode = 0o600): string {
  serial += 1;
  const path = join(dir, `file-${serial}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

export function folder(): string {
  serial += 1;
  const path = join(dir, `folder-${serial}`);
  mkdirSync(path);
  return path;
}

/** Runs `use` as a user to whom file permissions apply. */
export function unprivileged<T>(use: () => T): T {
  if (process.getuid?.() !== 0) return use();
  process.seteuid?.(65_534);
  try {
    return use();
  } finally {
    process.seteuid?.(0);
  }
}

/** The lines of the StartError that `use` throws. */
export function faultsOf(use: () => unknown): string[] {
  try {
    use();
  } catch (error) {
    if (error instanceof StartError) return error.message.split('\n');
    throw error;
  }
  throw new Error('nothing was thrown');
}
