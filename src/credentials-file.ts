/**
 * Access keys in files, as the AWS SDKs and the AWS CLI read them, and client keys: the only place where a secret is
 * written.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from './errors';
import type { Deliver } from './kms/principals';
import type { AccessKey } from './kms/secret-access-keys';
import { syncToDisk } from './store/files';
import { ROOT } from './store/principals';
import type { Store } from './store/store';

/** Where the root principal's access key is. */
export const rootCredentialsFile = (dataDir: string): string => join(dataDir, 'credentials');

/**
 * Writes the root principal's access key in the place of the one that is there.
 *
 * @throws StartError where the file cannot be written, or is another principal's
 */
export function deliverRoot(dataDir: string, store: Pick<Store, 'principals'>): Deliver {
  const file = rootCredentialsFile(dataDir);
  return async (accessKey, keep) => {
    await assertNobodyElses(file, store);
    const previous = existsSync(file) ? readFileSync(file) : undefined;
    const text = textOf(accessKey, 'default', "p11kms: the access key of the account's root principal");
    try {
      attempt({ file, ...ACCESS_KEY }, () => replace(file, text));
      await orElse(keep, () => (previous ? replace(file, previous) : rmSync(file, { force: true })));
    } finally {
      text.fill(0);
      previous?.fill(0);
    }
  };
}

/**
 * Writes a user's access key to a file that must not exist.
 *
 * @throws StartError where the file exists or cannot be written
 */
export function deliverUser(file: string, name: string): Deliver {
  return async (accessKey, keep) => {
    const text = textOf(accessKey, name, `p11kms: the access key of the principal ${name}`);
    try {
      await deliverNew({ file, ...ACCESS_KEY }, text, keep);
    } finally {
      text.fill(0);
    }
  };
}

/** A file that somebody names. */
export interface Destination {
  readonly file: string;
  /** What goes there. */
  readonly what: string;
  /** By which it is named. */
  readonly option: string;
}

const ACCESS_KEY: Omit<Destination, 'file'> = { what: 'access key', option: '--credentials-file' };

/**
 * Writes a secret to a file that must not exist, before `keep` writes to the store what belongs to it. The file goes
 * again where `keep` fails.
 *
 * @throws StartError where the file exists or cannot be written, and whatever `keep` throws
 */
export async function deliverNew(
  destination: Destination,
  text: Buffer,
  keep: () => Promise<void>,
): Promise<void> {
  const { file } = destination;
  attempt(destination, () => write(file, text));
  await orElse(keep, () => rmSync(file, { force: true }));
}

/** @throws StartError where no file is named, or there is such a file: it may have the only copy of another secret */
export function assertNew(file: string, option = ACCESS_KEY.option): void {
  if (file === '') throw new StartError(`${option} names no file`);
  if (!isTaken(file)) return;
  throw new StartError(`${file} exists already: move it away, or name another with ${option}`);
}

/** Nothing is written through a link, not even through one to a file that does not exist. */
function isTaken(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Writing the file tells why there can be none.
    return false;
  }
}

/** What is there may be overwritten unless it is the access key of a user of this store. */
async function assertNobodyElses(file: string, { principals }: Pick<Store, 'principals'>): Promise<void> {
  if (!existsSync(file)) return;
  const [, id = ''] = /^\s*aws_access_key_id\s*=\s*(\S+)/m.exec(readFileSync(file, 'utf8')) ?? [];
  const owner = (await principals.findByAccessKey(id))?.principal.name;
  if (owner === undefined || owner === ROOT) return;
  throw new StartError(
    `${file} has the access key of the principal ${owner}: move it away, because the root principal's goes there`,
  );
}

function textOf({ id, secret }: AccessKey, profile: string, comment: string): Buffer {
  const lines = `# ${comment}\n[${profile}]\naws_access_key_id = ${id}\naws_secret_access_key = `;
  return Buffer.concat([Buffer.from(lines), secret, Buffer.from('\n')]);
}

async function orElse(work: () => Promise<void>, undo: () => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    undo();
    throw error;
  }
}

function attempt({ file, what, option }: Destination, work: () => void): void {
  try {
    work();
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'EEXIST') assertNew(file, option);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`the ${what} cannot be written to ${file}: ${why}`, undefined, { cause });
  }
}

/** At every moment there is either the old file or the new one. */
function replace(file: string, text: Buffer): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.tmp`;
  // Left over from a crash.
  rmSync(temporary, { force: true });
  write(temporary, text);
  renameSync(temporary, file);
  syncToDisk(dirname(file));
}

/** Writes a new file for its owner alone; leaves none behind where that fails. */
function write(file: string, text: Buffer): void {
  const fd = openSync(file, 'wx', 0o600);
  try {
    // Whatever the umask has taken away.
    fchmodSync(fd, 0o600);
    for (let written = 0; written < text.length; ) written += writeSync(fd, text, written);
    fsyncSync(fd);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  syncToDisk(dirname(file));
}
