/**
 * What the token says it can do, held against node:crypto before anything depends on it. Numbers and names are
 * not to be trusted: what NSS calls 0x210A is another mechanism, which the sizes of most keys hide.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  verify,
} from 'node:crypto';
import type { KeyPairSpec } from '../key-pair-specs';
import type { Dialect, GcmIvSource } from '../report';
import { exportPrivateKey, kwpUnwrapHere } from './export';
import { withSessionPair } from './jobs/generate-key-pair';
import { readPublicKey } from './key-encoding';
import {
  createObject,
  destroyObject,
  gcmDecrypt,
  gcmEncrypt,
  gcmWrap,
  generateAesKey,
  kwpWrap,
  MECHANISM,
  type ObjectHandle,
  type SealedBytes,
  type Session,
  withObject,
} from './session';
import { extractableAesKey, knownAesKey, knownSecret, sessionAesKey } from './templates';
import { kwpOf, unwrapPrivateKey, type WrappingKeys, wrapPrivateKey } from './wrapping';

const TAG_BYTES = 16;
const AAD = Buffer.from('p11kms proof');

function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function gcmOpenHere(key: Buffer, { iv, sealed }: SealedBytes): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(AAD);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
}

/** The token takes AES keys whose bytes p11kms chose. In FIPS modes some do not. */
export function takesKnownKeys(session: Session): void {
  destroyObject(session, createObject(session, knownAesKey('wrap', randomBytes(32))));
}

/** AES-GCM encryption: node:crypto opens what the token sealed, the token what node:crypto did. */
export function proveGcm(session: Session, gcmIv: GcmIvSource, knownKeys: boolean): void {
  const secret = randomBytes(32);
  const key = randomBytes(32);
  const template = knownKeys
    ? createObject(session, knownAesKey('encrypt', key))
    : generateAesKey(session, sessionAesKey('encrypt'));
  withObject(session, template, (object) => {
    const made = gcmEncrypt(session, gcmIv, object, secret, AAD);
    assert(
      gcmDecrypt(session, object, made.iv, made.sealed, AAD).equals(secret),
      'does not open its own ciphertext',
    );
    if (!knownKeys) return;
    assert(gcmOpenHere(key, made).equals(secret), 'is not AES-GCM: node:crypto reads something else');
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(AAD);
    const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
    assert(
      gcmDecrypt(session, object, iv, sealed, AAD).equals(secret),
      "does not open node:crypto's ciphertext",
    );
  });
}

/** RFC 5649 with a 32-byte secret: 40 bytes, and the ones that node:crypto expects. */
export function proveKwp(session: Session, mechanism: number, knownKeys: boolean): void {
  const secret = randomBytes(32);
  const key = randomBytes(32);
  const wrapping = knownKeys
    ? createObject(session, knownAesKey('wrap', key))
    : generateAesKey(session, sessionAesKey('wrap'));
  withObject(session, wrapping, (wrappingKey) => {
    const target = knownKeys
      ? createObject(session, knownSecret(secret))
      : generateAesKey(session, extractableAesKey());
    withObject(session, target, (object) => {
      const wrapped = kwpWrap(session, mechanism, wrappingKey, object);
      assert(wrapped.length === 40, `makes ${wrapped.length} bytes of 32: it is not RFC 5649`);
      if (knownKeys)
        assert(
          kwpUnwrapHere(key, wrapped).equals(secret),
          'is not RFC 5649: node:crypto reads something else',
        );
    });
  });
}

/** AES-GCM in C_WrapKey with a 32-byte secret, against node:crypto. */
export function proveGcmWrap(session: Session, gcmIv: GcmIvSource, knownKeys: boolean): void {
  assert(knownKeys, 'cannot be proved: the token takes no known keys');
  const secret = randomBytes(32);
  const key = randomBytes(32);
  withObject(session, createObject(session, knownAesKey('wrap', key)), (wrappingKey) =>
    withObject(session, createObject(session, knownSecret(secret)), (object) => {
      const wrapped = gcmWrap(session, gcmIv, wrappingKey, object, AAD);
      assert(gcmOpenHere(key, wrapped).equals(secret), 'is not AES-GCM: node:crypto reads something else');
    }),
  );
}

/** A pair of this spec is generated, wrapped, unwrapped, and the unwrapped key signs for the public one. */
export function proveKeyPair(
  session: Session,
  dialect: Dialect,
  gcmIv: GcmIvSource,
  spec: KeyPairSpec,
  keys: WrappingKeys,
): void {
  withSessionPair(session, spec, (publicKey, privateKey) => {
    const { spki, point } = readPublicKey(session, publicKey, spec);
    const sealed = wrapPrivateKey(session, dialect, gcmIv, keys, privateKey, AAD);
    const wrapped = { ...sealed, spec, point, wrapping: dialect.wrapping };
    withObject(session, unwrapPrivateKey(session, dialect, keys, wrapped, AAD), (unwrapped) =>
      assert(signsFor(session, unwrapped, spec, spki), 'what was unwrapped is another key'),
    );
  });
}

/** Generating and wrapping alone: quick enough for every EC spec at start. */
export function proveWrapping(
  session: Session,
  dialect: Dialect,
  gcmIv: GcmIvSource,
  spec: KeyPairSpec,
  keys: WrappingKeys,
): void {
  withSessionPair(session, spec, (publicKey, privateKey) => {
    readPublicKey(session, publicKey, spec);
    wrapPrivateKey(session, dialect, gcmIv, keys, privateKey, AAD);
  });
}

/** DigestInfo of a SHA-256 digest (RFC 8017, section 9.2), which CKM_RSA_PKCS signs as it is. */
const SHA256_DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

function signsFor(session: Session, privateKey: ObjectHandle, spec: KeyPairSpec, spki: Buffer): boolean {
  const { lib, handle } = session;
  const rsa = spec.key.type === 'RSA';
  const digest = createHash('sha256').update(AAD).digest();
  lib.C_SignInit(handle, { mechanism: rsa ? MECHANISM.RSA_PKCS : MECHANISM.ECDSA }, privateKey);
  const data = rsa ? Buffer.concat([SHA256_DIGEST_INFO, digest]) : digest;
  const signature = lib.C_Sign(handle, data, Buffer.alloc(512));
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return verify('sha256', AAD, rsa ? key : { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** A private key leaves the token as PKCS#8, by the way that the export path takes. */
export function proveExport(session: Session, dialect: Dialect, spec: KeyPairSpec): void {
  withSessionPair(session, spec, (publicKey, privateKey) => {
    const { spki, point } = readPublicKey(session, publicKey, spec);
    const pkcs8 = exportPrivateKey(session, kwpOf(dialect), privateKey, spec, point);
    const exported = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
    pkcs8.fill(0);
    assert(exported.export({ format: 'der', type: 'spki' }).equals(spki), 'what was exported is another key');
  });
}
