/** The form of the audit record: names of files, kinds of lines, what links and signs them. */
import { hash, randomBytes } from 'node:crypto';

export const FORMAT = 1;
/** What stands for the line before the first. */
export const NO_HASH = '0'.repeat(64);
/** A signature covers a line that is at most so many lines before it. */
export const MAX_CHECKPOINT_LAG = 200_000;
/** No line is longer: the longest is a record with a large encryption context. */
export const MAX_LINE_BYTES = 65_536;

/** A chain's id: when it began, and what tells apart those that began in the same second. */
export function newChainId(now: Date): string {
  const time = `${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  return `${time}-${randomBytes(6).toString('hex')}`;
}

export const fileName = (chain: string, number: number): string =>
  `${chain}-${String(number).padStart(6, '0')}.jsonl`;

/** The file whose lock says that the chain's process lives. Removed at an orderly end. */
export const lockName = (chain: string): string => `${chain}.lock`;

const FILE_NAME = /^(\d{8}T\d{6}Z-[0-9a-f]{12})-(\d{6,9})\.jsonl$/;
const LOCK_NAME = /^(\d{8}T\d{6}Z-[0-9a-f]{12})\.lock$/;

export function parseFileName(name: string): { chain: string; number: number } | undefined {
  const [, chain, number] = FILE_NAME.exec(name) ?? [];
  return chain && number ? { chain, number: Number(number) } : undefined;
}

/** The chain whose lock this is. */
export const parseLockName = (name: string): string | undefined => LOCK_NAME.exec(name)?.[1];

/** A line, with its line break. */
export const lineOf = (sequence: number, previous: string, members: string): string =>
  `{"seq":${sequence},"prev":"${previous}",${members}}\n`;

/** Of a line without its line break: what the next line has as `prev`. */
export const hashOf = (line: Buffer): string => hash('sha256', line, 'hex');

export interface Start {
  readonly time: Date;
  readonly chain: string;
  readonly storeId: string;
  readonly tokenSerial?: string | undefined;
  /** X.509 SubjectPublicKeyInfo, DER. */
  readonly publicKey?: Buffer | undefined;
}

/** The first line of a chain. */
export function startMembers({ time, chain, storeId, tokenSerial, publicKey }: Start): string {
  return membersOf({
    type: 'start',
    time: time.toISOString(),
    format: FORMAT,
    chain,
    file: 1,
    store: storeId,
    tokenSerial,
    publicKey: publicKey?.toString('base64'),
    fingerprint: publicKey && fingerprintOf(publicKey),
  });
}

/** The first line of each later file. */
export const fileMembers = (time: Date, chain: string, file: number): string =>
  membersOf({ type: 'file', time: time.toISOString(), chain, file });

/** A line of the chain, as a signature covers it: the line and with it all before. */
export interface Covered {
  readonly sequence: number;
  readonly hash: string;
}

/** `end` is the last line of a chain that was closed; unsigned where the token was not at hand. */
export function checkpointMembers(
  type: 'checkpoint' | 'end',
  time: Date,
  signed?: { readonly covers: Covered; readonly signature: Buffer },
): string {
  return membersOf({
    type,
    time: time.toISOString(),
    covers: signed?.covers,
    signature: signed?.signature.toString('base64'),
  });
}

function membersOf(members: Record<string, unknown>): string {
  return JSON.stringify(members).slice(1, -1);
}

/** What is signed. */
export function checkpointText(storeId: string, chain: string, { sequence, hash: of }: Covered): string {
  return `p11kms audit checkpoint ${FORMAT}\nstore ${storeId}\nchain ${chain}\nsequence ${sequence}\nhash ${of}\n`;
}

/** SHA-256 of a public key's SubjectPublicKeyInfo, hex. */
export const fingerprintOf = (publicKey: Buffer): string => hash('sha256', publicKey, 'hex');
