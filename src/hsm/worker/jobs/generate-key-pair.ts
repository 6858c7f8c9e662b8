import type { JobInput, JobOutput } from '../../jobs';
import { type KeyPairSpec, keyPairSpec } from '../../key-pair-specs';
import { readPublicKey } from '../key-encoding';
import { MECHANISM, type ObjectHandle, type Session, withObject } from '../session';
import { dataKeyPair, type PairTemplates } from '../templates';
import { handleOf, type TokenWorker } from '../token-worker';
import { wrapPrivateKey } from '../wrapping';

/** Generates a pair, wraps its private key and leaves nothing of it on the token. */
export function generateKeyPair(
  worker: TokenWorker,
  input: JobInput<'generateKeyPair'>,
): JobOutput<'generateKeyPair'> {
  const { session, dialect, gcmIv } = worker;
  const keys = { encrypt: handleOf(worker, input.encryptObject), wrap: handleOf(worker, input.wrapObject) };
  const spec = keyPairSpec(input.spec);
  return withSessionPair(session, spec, (publicKey, privateKey) => {
    const { spki, point } = readPublicKey(session, publicKey, spec);
    const aad = Buffer.concat([input.aadBeforePoint, twoByteLength(point), point, input.aadAfterPoint]);
    return { publicKey: spki, point, ...wrapPrivateKey(session, dialect, gcmIv, keys, privateKey, aad) };
  });
}

/** Lends a fresh pair of session objects and destroys both, whatever happens. */
export function withSessionPair<T>(
  session: Session,
  spec: KeyPairSpec,
  use: (publicKey: ObjectHandle, privateKey: ObjectHandle) => T,
): T {
  const { publicKey, privateKey } = templatesOf(spec);
  const mechanism = spec.key.type === 'RSA' ? MECHANISM.RSA_PKCS_KEY_PAIR_GEN : MECHANISM.EC_KEY_PAIR_GEN;
  const pair = session.lib.C_GenerateKeyPair(session.handle, { mechanism }, publicKey, privateKey);
  return withObject(session, pair.privateKey, () =>
    withObject(session, pair.publicKey, () => use(pair.publicKey, pair.privateKey)),
  );
}

const prepared = new Map<KeyPairSpec, PairTemplates>();

function templatesOf(spec: KeyPairSpec): PairTemplates {
  const known = prepared.get(spec) ?? dataKeyPair(spec);
  prepared.set(spec, known);
  return known;
}

function twoByteLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return length;
}
