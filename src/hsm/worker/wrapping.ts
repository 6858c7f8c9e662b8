/**
 * The two ways to wrap a private key. With RFC 5649 inside AES-GCM the key in plaintext never enters this
 * process; with AES-GCM in C_WrapKey it never leaves the token at all.
 */
import type { KeyPairSpec } from '../key-pair-specs';
import type { Dialect, GcmIvSource, Wrapping } from '../report';
import {
  gcmDecrypt,
  gcmEncrypt,
  gcmUnwrap,
  gcmWrap,
  kwpUnwrap,
  kwpWrap,
  type ObjectHandle,
  type SealedBytes,
  type Session,
} from './session';
import { unwrappedPrivateKey } from './templates';

/** Both objects of a key version: which of them is used depends on the wrapping. */
export interface WrappingKeys {
  readonly encrypt: ObjectHandle;
  readonly wrap: ObjectHandle;
}

export function kwpOf({ kwpMechanism }: Dialect): number {
  if (kwpMechanism === undefined) throw new Error('the token does not do RFC 5649');
  return kwpMechanism;
}

export function wrapPrivateKey(
  session: Session,
  dialect: Dialect,
  gcmIv: GcmIvSource,
  keys: WrappingKeys,
  privateKey: ObjectHandle,
  aad: Buffer,
): SealedBytes {
  if (dialect.wrapping === 'gcm') return gcmWrap(session, gcmIv, keys.wrap, privateKey, aad);
  return gcmEncrypt(
    session,
    gcmIv,
    keys.encrypt,
    kwpWrap(session, kwpOf(dialect), keys.wrap, privateKey),
    aad,
  );
}

/** What was wrapped, and how: a token may have learned a better way since. */
export interface WrappedKey extends SealedBytes {
  readonly wrapping: Wrapping;
  readonly spec: KeyPairSpec;
  /** The uncompressed public point; empty for RSA. */
  readonly point: Buffer;
}

/** A session object of the private key: SENSITIVE, and EXTRACTABLE so that it can be exported. */
export function unwrapPrivateKey(
  session: Session,
  dialect: Dialect,
  keys: WrappingKeys,
  wrapped: WrappedKey,
  aad: Buffer,
): ObjectHandle {
  const template = unwrappedPrivateKey(wrapped.spec, dialect.ecUnwrapTakesPoint ? wrapped.point : undefined);
  if (wrapped.wrapping === 'gcm') return gcmUnwrap(session, keys.wrap, wrapped, aad, template);
  const inner = gcmDecrypt(session, keys.encrypt, wrapped.iv, wrapped.sealed, aad);
  return kwpUnwrap(session, kwpOf(dialect), keys.wrap, inner, template);
}
