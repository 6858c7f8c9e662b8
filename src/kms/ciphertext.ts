/**
 * The ciphertext format, version 1: docs/ciphertext.md draws it. Everything before the IV is authenticated.
 * Decoding is strict: what `encodeCiphertext` would not write is refused.
 */
import { KmsError } from '../errors';
import { KEY_PAIR_SPECS_BY_CODE, type KeyPairSpec } from '../hsm/key-pair-specs';
import type { Wrapping } from '../hsm/report';
import type { KeyId } from './key';
import type { KeyFormat } from './key-format';

export type Ciphertext = DataCiphertext | PrivateKeyCiphertext;

interface Sealed {
  readonly keyId: KeyId;
  /** The key version, 1 for the first. */
  readonly version: number;
  /** 12 bytes. */
  readonly iv: Buffer;
  /** AES-GCM ciphertext with the 16-byte tag behind it. */
  readonly sealed: Buffer;
}

export interface DataCiphertext extends Sealed {
  readonly kind: 'data';
}

export interface PrivateKeyCiphertext extends Sealed, PrivateKeyHeader {
  readonly kind: 'private-key';
  /** The uncompressed public point of an EC key; empty for RSA. */
  readonly point: Buffer;
}

/** What a private key's ciphertext says of it. */
export interface PrivateKeyHeader {
  readonly spec: KeyPairSpec;
  readonly wrapping: Wrapping;
  /** It never leaves p11kms. */
  readonly sealedKey: boolean;
  /** What it is handed out as. */
  readonly format: KeyFormat;
}

const FORMAT = 1;
const SCHEME = { data: 1, 'kwp+gcm': 2, gcm: 3 } as const;
const FLAG = { sealedKey: 0x01, pem: 0x02 } as const;
const FLAGS = FLAG.sealedKey | FLAG.pem;

/** Up to and with the key version; the public point's length and the point follow. */
const FIXED_BYTES = 24;
const POINT_LENGTH_BYTES = 2;
const IV_BYTES = 12;
const TAG_BYTES = 16;

const NO_POINT = Buffer.alloc(POINT_LENGTH_BYTES);

function fixedHeader(scheme: number, flags: number, spec: number, keyId: KeyId, version: number): Buffer {
  const header = Buffer.alloc(FIXED_BYTES);
  header.set([FORMAT, scheme, flags, spec]);
  header.write(keyId.replaceAll('-', ''), 4, 'hex');
  header.writeUInt32BE(version, 20);
  return header;
}

/** The header of a data ciphertext: all that comes before the IV. */
export function dataHeader(keyId: KeyId, version: number): Buffer {
  return Buffer.concat([fixedHeader(SCHEME.data, 0, 0, keyId, version), NO_POINT]);
}

/** The header of a wrapped private key, up to the length of the public point: only the token knows that yet. */
export function privateKeyHeader(keyId: KeyId, version: number, about: PrivateKeyHeader): Buffer {
  const flags = (about.sealedKey ? FLAG.sealedKey : 0) | (about.format === 'PEM' ? FLAG.pem : 0);
  return fixedHeader(SCHEME[about.wrapping], flags, about.spec.code, keyId, version);
}

/** The whole header of a ciphertext, as AES-GCM authenticates it. */
export function headerOf(ciphertext: Ciphertext): Buffer {
  const { keyId, version } = ciphertext;
  if (ciphertext.kind === 'data') return dataHeader(keyId, version);
  return withPoint(privateKeyHeader(keyId, version, ciphertext), ciphertext.point);
}

function withPoint(header: Buffer, point: Buffer): Buffer {
  const length = Buffer.alloc(POINT_LENGTH_BYTES);
  length.writeUInt16BE(point.length);
  return Buffer.concat([header, length, point]);
}

export function encodeCiphertext(ciphertext: Ciphertext): Buffer {
  return Buffer.concat([headerOf(ciphertext), ciphertext.iv, ciphertext.sealed]);
}

/**
 * The one answer to every bad ciphertext: nobody learns what about it was wrong.
 *
 * @param reason for the log; nothing of what was sent
 */
export function invalidCiphertext(reason?: string): KmsError {
  const message = 'The ciphertext or its encryption context is not valid.';
  return new KmsError('INVALID_CIPHERTEXT', message, { cause: reason });
}

/**
 * Reads a ciphertext. The result shares the input's memory.
 *
 * @throws KmsError INVALID_CIPHERTEXT
 */
export function decodeCiphertext(blob: Buffer): Ciphertext {
  const body = FIXED_BYTES + POINT_LENGTH_BYTES;
  if (blob.length < body + IV_BYTES + TAG_BYTES || blob[0] !== FORMAT) throw invalidCiphertext();
  const pointBytes = blob.readUInt16BE(FIXED_BYTES);
  const rest = blob.subarray(body + pointBytes);
  if (rest.length < IV_BYTES + TAG_BYTES) throw invalidCiphertext();
  const sealed = {
    keyId: readKeyId(blob),
    version: blob.readUInt32BE(20),
    iv: rest.subarray(0, IV_BYTES),
    sealed: rest.subarray(IV_BYTES),
  };
  return { ...sealed, ...readKind(blob, blob.subarray(body, body + pointBytes)) };
}

type Kind = Omit<DataCiphertext, keyof Sealed> | Omit<PrivateKeyCiphertext, keyof Sealed>;

function readKind(blob: Buffer, point: Buffer): Kind {
  const [, scheme = 0, flags = 0, code = 0] = blob;
  if (scheme === SCHEME.data) {
    if (flags !== 0 || code !== 0 || point.length !== 0) throw invalidCiphertext();
    return { kind: 'data' };
  }
  const wrapping = WRAPPING_BY_SCHEME.get(scheme);
  const spec = KEY_PAIR_SPECS_BY_CODE.get(code);
  if (!wrapping || !spec || flags & ~FLAGS) throw invalidCiphertext();
  const pointBytes = spec.key.type === 'EC' ? spec.key.pointBytes : 0;
  if (point.length !== pointBytes) throw invalidCiphertext();
  return {
    kind: 'private-key',
    wrapping,
    spec,
    point,
    sealedKey: (flags & FLAG.sealedKey) !== 0,
    format: (flags & FLAG.pem) === 0 ? 'DER' : 'PEM',
  };
}

const WRAPPING_BY_SCHEME: ReadonlyMap<number, Wrapping> = new Map([
  [SCHEME['kwp+gcm'], 'kwp+gcm'],
  [SCHEME.gcm, 'gcm'],
]);

function readKeyId(blob: Buffer): KeyId {
  const hex = blob.toString('hex', 4, 20);
  return [8, 12, 16, 20, 32]
    .map((end, index, ends) => hex.slice(ends[index - 1] ?? 0, end))
    .join('-') as KeyId;
}
