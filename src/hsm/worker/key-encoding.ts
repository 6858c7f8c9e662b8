/** Keys as the token gives them, made into the standard structures that clients read. */
import { createECDH, createPrivateKey } from 'node:crypto';
import type { EcKey, KeyPairSpec } from '../key-pair-specs';
import {
  bitString,
  elementLength,
  explicit1,
  integer,
  octetString,
  readEcPrivateNumber,
  readOctetString,
  sequence,
} from './der';
import type { ObjectHandle, Session } from './session';

const CKA_MODULUS = 0x120;
const CKA_PUBLIC_EXPONENT = 0x122;
const CKA_EC_POINT = 0x181;

const DER_NULL = Buffer.from('0500', 'hex');
const RSA_ENCRYPTION = Buffer.concat([Buffer.from('06092a864886f70d010101', 'hex'), DER_NULL]);
const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');
const VERSION_0 = Buffer.from('020100', 'hex');
const VERSION_1 = Buffer.from('020101', 'hex');

export interface PublicKey {
  /** X.509 SubjectPublicKeyInfo, DER (RFC 5280; RFC 5480 for EC, RFC 3279 for RSA). */
  readonly spki: Buffer;
  /** The uncompressed public point; empty for RSA. */
  readonly point: Buffer;
}

const ecSpki = (key: EcKey, point: Buffer): Buffer =>
  sequence(sequence(EC_PUBLIC_KEY, key.curve), bitString(point));

function attributes({ lib, handle }: Session, object: ObjectHandle, ...types: number[]): Buffer[] {
  const found = lib.C_GetAttributeValue(
    handle,
    object,
    types.map((type) => ({ type })),
  );
  return found.map(({ value }) => value as Buffer);
}

/** Reads a public key off the token. */
export function readPublicKey(session: Session, object: ObjectHandle, { key }: KeyPairSpec): PublicKey {
  if (key.type === 'RSA') {
    const [modulus, exponent] = attributes(session, object, CKA_MODULUS, CKA_PUBLIC_EXPONENT);
    if (!modulus || !exponent) throw new Error('the token gives no modulus or exponent of an RSA public key');
    const spki = sequence(sequence(RSA_ENCRYPTION), bitString(sequence(integer(modulus), integer(exponent))));
    return { spki, point: Buffer.alloc(0) };
  }
  const [attribute] = attributes(session, object, CKA_EC_POINT);
  if (!attribute) throw new Error('the token gives no point of an EC public key');
  // PKCS#11 has the point inside an OCTET STRING; some tokens give it bare, and both begin with 4.
  const point = attribute.length === key.pointBytes ? attribute : readOctetString(attribute);
  if (point.length !== key.pointBytes || point[0] !== 4)
    throw new Error('the token gives no uncompressed EC point');
  return { spki: ecSpki(key, point), point };
}

/**
 * A private key as it came out of the token, with padding behind it and without the public half, made into
 * standard PKCS#8 DER; an EC key has its public key in it (RFC 5915). The caller zeroes both buffers.
 *
 * @throws where the private key does not belong to the public point
 */
export function encodePrivateKey({ key }: KeyPairSpec, raw: Buffer, point: Buffer): Buffer {
  if (key.type === 'RSA') return reencode(raw.subarray(0, elementLength(raw)));
  const fieldBytes = (key.pointBytes - 1) / 2;
  const number = readEcPrivateNumber(raw);
  if (number.length > fieldBytes) throw new Error('the private number of an EC key is too long');
  const padded = Buffer.alloc(fieldBytes);
  number.copy(padded, fieldBytes - number.length);
  try {
    assertBelongsTogether(key, padded, point);
    return ecPkcs8(key, padded, point);
  } finally {
    padded.fill(0);
  }
}

function ecPkcs8(key: EcKey, number: Buffer, point: Buffer): Buffer {
  const secret = octetString(number);
  const inner = sequence(VERSION_1, secret, explicit1(bitString(point)));
  const wrapped = octetString(inner);
  const pkcs8 = sequence(VERSION_0, sequence(EC_PUBLIC_KEY, key.curve), wrapped);
  for (const copy of [secret, inner, wrapped]) copy.fill(0);
  return pkcs8;
}

function reencode(der: Buffer): Buffer {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'der',
    type: 'pkcs8',
  });
}

/**
 * From the number alone: what the token gave may hold a public key as well, and OpenSSL takes that on trust.
 */
function assertBelongsTogether(key: EcKey, number: Buffer, point: Buffer): void {
  const pair = createECDH(key.namedCurve);
  pair.setPrivateKey(number);
  if (!pair.getPublicKey().equals(point)) {
    throw new Error('an unwrapped EC private key does not belong to its public key');
  }
}
