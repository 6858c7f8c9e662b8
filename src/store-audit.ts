/** The audit record of a store: its heads in the store, its signatures by a key pair on the token. */
import { join } from 'node:path';
import { type Audit, type AuditOptions, openAudit } from './audit/audit';
import type { Signer } from './audit/checkpoints';
import type { Token } from './hsm/token';
import { labelPrefix } from './kms/object-label';
import { lockFile } from './store/lock';
import type { Store } from './store/store';

/** Has a job done on the token. */
export type RunJob = Pick<Token, 'run'>['run'];

/** The token, as far as the audit record needs it. */
export interface SigningToken {
  readonly serial: string;
  readonly run: RunJob;
}

export interface StoreAuditOptions
  extends Pick<AuditOptions, 'fileBytes' | 'stepBytes' | 'checkpointEvery' | 'onTrouble'> {
  readonly dataDir: string;
  /** Absent where the token is not at hand: nothing is signed then. */
  readonly token?: SigningToken;
}

/** Where a data directory has its audit record. */
export const auditDirectory = (dataDir: string): string => join(dataDir, 'audit');

/**
 * Begins this process's chain.
 *
 * @throws StartError where the directory cannot be used
 * @throws KmsError where store or token cannot
 */
export async function openStoreAudit(store: Store, options: StoreAuditOptions): Promise<Audit> {
  const { dataDir, token, ...rest } = options;
  const { id: storeId } = await store.identity.read();
  const signed = token && { tokenSerial: token.serial, signer: await auditSigner(store, token.run) };
  const dir = auditDirectory(dataDir);
  return openAudit({ ...rest, ...signed, dir, storeId, heads: store.audit, lock: lockFile });
}

/**
 * What signs a store's checkpoints: a key pair that is made when it is first needed.
 *
 * @throws KmsError where it has to be made, and cannot
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
