/**
 * How a private key gets out where that is allowed: wrapped by the token under a one-time key whose value
 * this process chose, and unwrapped here. No object is ever created without SENSITIVE, no value is ever read.
 */
import { createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyPairSpec } from '../key-pair-specs';
import { encodePrivateKey } from './key-encoding';
import { createObject, kwpWrap, type ObjectHandle, type Session, withObject } from './session';
import { knownAesKey } from './templates';

/** The alternative initial value of RFC 5649, section 3. */
const KWP_IV = Buffer.from('A65959A6', 'hex');

/**
 * The private key as PKCS#8 DER. The caller zeroes it.
 *
 * @param privateKey an EXTRACTABLE object
 * @param point its uncompressed public point; empty for RSA
 * @throws NotThisKey
 */
export function exportPrivateKey(
  session: Session,
  kwpMechanism: number,
  privateKey: ObjectHandle,
  spec: KeyPairSpec,
  point: Buffer,
): Buffer {
  const transport = randomBytes(32);
  let raw: Buffer | undefined;
  try {
    const wrapped = withObject(session, createObject(session, knownAesKey('wrap', transport)), (key) =>
      kwpWrap(session, kwpMechanism, key, privateKey),
    );
    raw = kwpUnwrapHere(transport, wrapped);
    return encode(spec, raw, point);
  } finally {
    transport.fill(0);
    raw?.fill(0);
  }
}

/** What the token gave out is no private key of this spec and this public point. */
export class NotThisKey extends Error {}

function encode(spec: KeyPairSpec, raw: Buffer, point: Buffer): Buffer {
  try {
    return encodePrivateKey(spec, raw, point);
  } catch (cause) {
    throw new NotThisKey('what was exported is another key', { cause });
  }
}

/** RFC 5649 unwrapping by node:crypto. The caller zeroes the result. */
export function kwpUnwrapHere(key: Buffer, wrapped: Buffer): Buffer {
  const decipher = createDecipheriv('id-aes256-wrap-pad', key, KWP_IV);
  const parts = [decipher.update(wrapped), decipher.final()];
  const whole = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return whole;
}
