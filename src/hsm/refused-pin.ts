/**
 * The memory of a PIN that the token refused. Tokens lock after a few wrong PINs, and supervisors restart
 * services for ever: the same PIN is not tried twice. The file holds a salted scrypt hash, mode 0600.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

interface Memory {
  readonly tokenLabel: string;
  readonly when: string;
  readonly salt: string;
  readonly hash: string;
}

const HASH_BYTES = 32;
const hashOf = promisify<Buffer, Buffer, number, Buffer>(scrypt);
const fileIn = (dataDir: string): string => join(dataDir, 'refused-pin.json');

/** Remembers that this token refused this PIN. */
export async function rememberRefusedPin(dataDir: string, tokenLabel: string, pin: Buffer): Promise<void> {
  const salt = randomBytes(16);
  const hash = await hashOf(pin, salt, HASH_BYTES);
  const when = new Date().toISOString();
  const memory: Memory = { tokenLabel, when, salt: salt.toString('hex'), hash: hash.toString('hex') };
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(fileIn(dataDir), `${JSON.stringify(memory)}\n`, { mode: 0o600 });
}

/** When this token refused this very PIN, and the file that says so. */
export async function wasRefused(
  dataDir: string,
  tokenLabel: string,
  pin: Buffer,
): Promise<{ readonly when: string; readonly file: string } | undefined> {
  const memory = await recall(dataDir);
  if (memory?.tokenLabel !== tokenLabel) return undefined;
  const hash = await hashOf(pin, Buffer.from(memory.salt, 'hex'), HASH_BYTES);
  const refused = Buffer.from(memory.hash, 'hex');
  const same = hash.length === refused.length && timingSafeEqual(hash, refused);
  return same ? { when: memory.when, file: fileIn(dataDir) } : undefined;
}

/** The token took a PIN: what it refused before is of no use any more. */
export async function forgetRefusedPin(dataDir: string, tokenLabel: string): Promise<void> {
  if ((await recall(dataDir))?.tokenLabel === tokenLabel) await rm(fileIn(dataDir), { force: true });
}

async function recall(dataDir: string): Promise<Memory | undefined> {
  try {
    const memory: unknown = JSON.parse(await readFile(fileIn(dataDir), 'utf8'));
    return isMemory(memory) ? memory : undefined;
  } catch {
    // No memory, or one that cannot be read, forbids nothing.
    return undefined;
  }
}

function isMemory(value: unknown): value is Memory {
  if (typeof value !== 'object' || value === null) return false;
  const { tokenLabel, when, salt, hash } = value as Partial<Memory>;
  return [tokenLabel, when, salt, hash].every((member) => typeof member === 'string');
}
