/**
 * The PKCS#11 functions that p11kms uses, in their blocking form only: the addon's callback form reads
 * freed memory. Templates are written with graphene's names and made ready once.
 */
import { type Handle, type ITemplate, type Module, Template } from 'graphene-pk11';
import type { GcmIvSource } from '../report';

export type Cryptoki = Module['lib'];
export type ObjectHandle = Handle;
export type PreparedTemplate = ReturnType<typeof Template.toPkcs11>;

/** An open session. The one that works can be closed and opened anew; who holds a Session sees the new one. */
export interface Session {
  readonly lib: Cryptoki;
  handle: Handle;
  /** AES-GCM encryptions that were begun: a job that has made one is not done again uncounted. */
  encryptions: number;
}

export interface SealedBytes {
  readonly iv: Buffer;
  readonly sealed: Buffer;
}

export const MECHANISM = {
  RSA_PKCS_KEY_PAIR_GEN: 0x0,
  RSA_PKCS: 0x1,
  ECDSA: 0x1041,
  EC_KEY_PAIR_GEN: 0x1040,
  AES_KEY_GEN: 0x1080,
  AES_GCM: 0x1087,
  AES_KEY_WRAP_PAD: 0x210a,
  AES_KEY_WRAP_KWP: 0x210b,
} as const;

/** The addon's number for CK_GCM_PARAMS as PKCS#11 v3.0 has it, with ulIvBits. */
const GCM_PARAMS = 7;
const IV_BYTES = 12;
export const TAG_BYTES = 16;
/** Room for a wrapped RSA-4096 key (2,384 bytes with RFC 5649), and then some. */
const WRAPPED_KEY_BYTES = 4096;

export function prepare(template: ITemplate): PreparedTemplate {
  return Template.toPkcs11(template);
}

const gcm = (iv: Buffer, aad: Buffer) => ({
  mechanism: MECHANISM.AES_GCM,
  parameter: { type: GCM_PARAMS, iv, ivBits: IV_BYTES * 8, aad, tagBits: TAG_BYTES * 8 },
});

export function generateRandom({ lib, handle }: Session, bytes: number): Buffer {
  return lib.C_GenerateRandom(handle, Buffer.alloc(bytes));
}

/** A fresh IV, or room for the one that the token makes. */
const ivFor = (session: Session, source: GcmIvSource): Buffer =>
  source === 'host' ? generateRandom(session, IV_BYTES) : Buffer.alloc(IV_BYTES);

/** A token that was to make the IV and left none would encrypt everything under the same one. */
function assertIvMade(iv: Buffer): void {
  if (iv.every((byte) => byte === 0)) throw new Error('the token made no IV: set P11KMS_GCM_IV to host');
}

/** AES-GCM encryption (PKCS#11 v3.0, section 2.13.3). The IV is never the caller's. */
export function gcmEncrypt(
  session: Session,
  ivSource: GcmIvSource,
  key: ObjectHandle,
  plaintext: Buffer,
  aad: Buffer,
): SealedBytes {
  const { lib, handle } = session;
  const iv = ivFor(session, ivSource);
  // The token may write its IV through this pointer as late as C_Encrypt: `iv` stays referenced until then.
  lib.C_EncryptInit(handle, gcm(iv, aad), key);
  session.encryptions++;
  const sealed = lib.C_Encrypt(handle, plaintext, Buffer.alloc(plaintext.length + TAG_BYTES));
  assertIvMade(iv);
  return { iv, sealed };
}

export function gcmDecrypt(
  { lib, handle }: Session,
  key: ObjectHandle,
  iv: Buffer,
  sealed: Buffer,
  aad: Buffer,
): Buffer {
  lib.C_DecryptInit(handle, gcm(iv, aad), key);
  return lib.C_Decrypt(handle, sealed, Buffer.alloc(sealed.length));
}

export function gcmWrap(
  session: Session,
  ivSource: GcmIvSource,
  wrappingKey: ObjectHandle,
  key: ObjectHandle,
  aad: Buffer,
): SealedBytes {
  const iv = ivFor(session, ivSource);
  const room = Buffer.alloc(WRAPPED_KEY_BYTES);
  session.encryptions++;
  const sealed = session.lib.C_WrapKey(session.handle, gcm(iv, aad), wrappingKey, key, room);
  assertIvMade(iv);
  return { iv, sealed };
}

export function gcmUnwrap(
  { lib, handle }: Session,
  unwrappingKey: ObjectHandle,
  { iv, sealed }: SealedBytes,
  aad: Buffer,
  template: PreparedTemplate,
): ObjectHandle {
  return lib.C_UnwrapKey(handle, gcm(iv, aad), unwrappingKey, sealed, template);
}

/** RFC 5649 wrapping, by the number that this token gives the mechanism. */
export function kwpWrap(
  { lib, handle }: Session,
  mechanism: number,
  wrappingKey: ObjectHandle,
  key: ObjectHandle,
): Buffer {
  return lib.C_WrapKey(handle, { mechanism }, wrappingKey, key, Buffer.alloc(WRAPPED_KEY_BYTES));
}

export function kwpUnwrap(
  { lib, handle }: Session,
  mechanism: number,
  unwrappingKey: ObjectHandle,
  wrapped: Buffer,
  template: PreparedTemplate,
): ObjectHandle {
  return lib.C_UnwrapKey(handle, { mechanism }, unwrappingKey, wrapped, template);
}

export function createObject({ lib, handle }: Session, template: PreparedTemplate): ObjectHandle {
  return lib.C_CreateObject(handle, template);
}

export function generateAesKey({ lib, handle }: Session, template: PreparedTemplate): ObjectHandle {
  return lib.C_GenerateKey(handle, { mechanism: MECHANISM.AES_KEY_GEN }, template);
}

/** ECDSA over a digest: r and s, each as long as the curve's order. */
export function ecdsaSign({ lib, handle }: Session, key: ObjectHandle, digest: Buffer): Buffer {
  const MOST_BYTES = 132;
  lib.C_SignInit(handle, { mechanism: MECHANISM.ECDSA }, key);
  return lib.C_Sign(handle, digest, Buffer.alloc(MOST_BYTES));
}

export function destroyObject({ lib, handle }: Session, object: ObjectHandle): void {
  lib.C_DestroyObject(handle, object);
}

/** The handles of all objects that match. */
export function findObjects({ lib, handle }: Session, template: PreparedTemplate): ObjectHandle[] {
  const BATCH = 64;
  const found: ObjectHandle[] = [];
  lib.C_FindObjectsInit(handle, template);
  try {
    for (;;) {
      const batch = lib.C_FindObjects(handle, BATCH);
      found.push(...batch);
      if (batch.length < BATCH) return found;
    }
  } finally {
    lib.C_FindObjectsFinal(handle);
  }
}

/** Runs `use` with an object and destroys it afterwards, whatever happened. */
export function withObject<T>(session: Session, object: ObjectHandle, use: (object: ObjectHandle) => T): T {
  try {
    return use(object);
  } finally {
    destroyObject(session, object);
  }
}
