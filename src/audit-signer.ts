/** The audit record's signatures, by a key pair that the token makes when it is first needed. */
import type { Signer } from './audit/checkpoints';
import type { Token } from './hsm/token';
import { labelPrefix } from './kms/object-label';
import type { Store } from './store/store';

/** Has a job done on the token. */
export type RunJob = Pick<Token, 'run'>['run'];

/**
 * What signs a store's checkpoints.
 *
 * @throws KmsError where the key pair has to be made, and cannot
 */
export async function auditSigner(store: Store, run: RunJob): Promise<Signer> {
  const key = await store.audit.key();
  const publicKey = key.publicKey ?? (await store.exclusively('token-objects', () => make(store, run)));
  const sign = async (digest: Buffer) => (await run('sign', { object: key.id, digest })).signature;
  return { publicKey, sign };
}

async function make(store: Store, run: RunJob): Promise<Buffer> {
  const { id } = await store.identity.read();
  const key = await store.audit.key();
  // Another process may have been faster.
  if (key.publicKey) return key.publicKey;
  const object = { id: key.id, label: `${labelPrefix(id)}audit` };
  const { publicKey } = await run('createSigningKey', object);
  await store.audit.confirmKey(publicKey);
  return publicKey;
}
