/** What is recorded of one request or change, and how long that can get. */
import { hash } from 'node:crypto';

/** What is known of one request or change. Nothing in it may be secret. */
export interface AuditEntry {
  readonly time: Date;
  readonly requestId: string;
  readonly protocol: 'trent' | 'alibaba' | 'cli' | 'service';
  /** ARN; absent where nobody was authenticated. */
  readonly principal?: string;
  readonly accessKeyId?: string;
  /** The caller's address. */
  readonly source?: string;
  readonly operation: string;
  /** ARN of the KMS key. */
  readonly key?: string;
  readonly encryptionContext?: ReadonlyMap<string, string>;
  /** ARN of the KMS key that ReEncrypt opened with; `key` is the one that it encrypted with. */
  readonly sourceKey?: string;
  readonly sourceEncryptionContext?: ReadonlyMap<string, string>;
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** The protocol's name of the error. */
  readonly error?: string;
  /** Why authorisation refused. */
  readonly denied?: string;
  /** How a private key was wrapped. */
  readonly wrapping?: string;
  readonly tokenSerial?: string;
  readonly details?: Readonly<Record<string, string | number>>;
}

/** The most bytes of JSON, quotes included, that each text may take; what is longer is cut. In the order of the line. */
const LIMITS = {
  time: 32,
  requestId: 128,
  protocol: 16,
  principal: 512,
  accessKeyId: 128,
  source: 128,
  operation: 128,
  key: 512,
  sourceKey: 512,
  outcome: 16,
  error: 128,
  denied: 512,
  wrapping: 64,
  tokenSerial: 128,
} as const;

const DETAILS_BYTES = 1_024;
/** An encryption context with more bytes of JSON than this is recorded by its digest. */
export const CONTEXT_BYTES = 16_384;
/** Line break, braces, `seq`, `prev`, `type`, the names of `details` and of the encryption contexts, and three digests. */
const FRAME_BYTES = 768;
/** `,"NAME":` */
const PUNCTUATION_BYTES = 4;

const FIXED_BYTES = Object.entries(LIMITS).reduce(
  (sum, [name, limit]) => sum + name.length + PUNCTUATION_BYTES + limit,
  FRAME_BYTES + DETAILS_BYTES,
);

/**
 * An upper bound of the bytes of a record of a request whose body has so many bytes. Escaping makes six bytes of one
 * at most.
 */
export function recordBound(bodyBytes: number): number {
  return FIXED_BYTES + Math.min(2 * CONTEXT_BYTES, 6 * bodyBytes + 4);
}

/**
 * The record's members as JSON, without the braces. Absent ones are left out.
 *
 * @param room the bytes that the line may have, at least `recordBound(0)`
 */
export function entryMembers(entry: AuditEntry, room: number): string {
  const { details } = entry;
  let left = room - FIXED_BYTES;
  let members = '"type":"record"';
  const add = (name: keyof typeof LIMITS, value: string | undefined) => {
    if (value !== undefined) members += `,"${name}":${limited(value, LIMITS[name])}`;
  };
  const addContext = (name: 'encryptionContext' | 'sourceEncryptionContext') => {
    const context = entry[name];
    if (!context || context.size === 0) return;
    const json = contextJson(context);
    const bytes = Buffer.byteLength(json);
    const fits = bytes <= Math.min(CONTEXT_BYTES, left);
    if (fits) left -= bytes;
    members += orDigest(name, json, fits ? bytes : 0);
  };
  add('time', entry.time.toISOString());
  add('requestId', entry.requestId);
  add('protocol', entry.protocol);
  add('principal', entry.principal);
  add('accessKeyId', entry.accessKeyId);
  add('source', entry.source);
  add('operation', entry.operation);
  add('key', entry.key);
  addContext('encryptionContext');
  add('sourceKey', entry.sourceKey);
  addContext('sourceEncryptionContext');
  add('outcome', entry.outcome);
  add('error', entry.error);
  add('denied', entry.denied);
  add('wrapping', entry.wrapping);
  add('tokenSerial', entry.tokenSerial);
  if (details) members += orDigest('details', JSON.stringify(details), DETAILS_BYTES);
  return members;
}

/** Sorted, so that the digest does not depend on the order of the pairs; by hand, because of `__proto__`. */
function contextJson(context: ReadonlyMap<string, string>): string {
  const pairs = [...context].sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

function orDigest(name: string, json: string, limit: number): string {
  const bytes = Buffer.byteLength(json);
  if (bytes <= limit) return `,"${name}":${json}`;
  return `,"${name}Digest":{"sha256":"${hash('sha256', json)}","bytes":${bytes}}`;
}

/** A JSON string of at most so many bytes. */
function limited(value: string, limit: number): string {
  const json = JSON.stringify(value);
  // A UTF-16 unit is three bytes at most once what must be escaped is escaped.
  if (json.length * 3 <= limit || Buffer.byteLength(json) <= limit) return json;
  for (let units = Math.min(value.length, limit); ; units = Math.floor(units * 0.9)) {
    const cut = JSON.stringify(`${value.slice(0, units)}…`);
    if (Buffer.byteLength(cut) <= limit) return cut;
  }
}
