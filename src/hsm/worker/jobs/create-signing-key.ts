import { KmsError } from '../../../errors';
import type { JobInput, JobOutput } from '../../jobs';
import { type EcKey, keyPairSpec } from '../../key-pair-specs';
import { readPublicKey } from '../key-encoding';
import { findById } from '../objects';
import { destroyObject, MECHANISM, type ObjectHandle, type Session } from '../session';
import { tokenSigningPair } from '../templates';
import { assertAlive, type TokenWorker } from '../token-worker';

const P256 = keyPairSpec('ECC_NIST_P256');

/** The pair with this CKA_ID; of one whose making was cut short, what is there is cleared away first. */
export function createSigningKey(
  worker: TokenWorker,
  object: JobInput<'createSigningKey'>,
): JobOutput<'createSigningKey'> {
  const { session } = worker;
  // A token that went away finds nothing: only while the service key is visible does that mean that there is no pair.
  assertAlive(worker, new KmsError('KEY_UNAVAILABLE', 'The token is not available.'));
  const publicKeys = findById(session, object.id, 'PUBLIC_KEY');
  const privateKeys = findById(session, object.id, 'PRIVATE_KEY');
  const isPair = publicKeys.length === 1 && privateKeys.length === 1;
  if (!isPair) for (const half of [...publicKeys, ...privateKeys]) destroyObject(session, half);
  const publicKey = isPair ? publicKeys[0] : generate(session, object);
  if (!publicKey) throw new Error('the token gave no public key');
  return { publicKey: readPublicKey(session, publicKey, P256).spki };
}

function generate({ lib, handle }: Session, object: JobInput<'createSigningKey'>): ObjectHandle {
  const { publicKey, privateKey } = tokenSigningPair((P256.key as EcKey).curve, object);
  const mechanism = MECHANISM.EC_KEY_PAIR_GEN;
  return lib.C_GenerateKeyPair(handle, { mechanism }, publicKey, privateKey).publicKey;
}
