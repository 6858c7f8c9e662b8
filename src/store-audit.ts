/** The audit record of a store: its heads in the store, its signatures by a key pair on the token. */
import { join } from 'node:path';
import { type Audit, type AuditOptions, type Heads, openAudit } from './audit/audit';
import type { Token } from './hsm/token';
import { labelPrefix } from './kms/object-label';
import type { IdentityRepository } from './store/identity';
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
  readonly signature?: Signature;
}

/** What signs a chain, and what of. */
export type Signature = Required<Pick<AuditOptions, 'tokenSerial' | 'signer'>>;

/** A store, as far as it holds a chain. */
export interface HeadStore {
  readonly identity: Pick<IdentityRepository, 'read'>;
  readonly audit: Heads;
}

/** Where a data directory has its audit record. */
export const auditDirectory = (dataDir: string): string => join(dataDir, 'audit');

/**
 * Begins this process's chain.
 *
 * @throws StartError where the directory cannot be used
 * @throws KmsError where the store cannot
 */
export async function openStoreAudit(store: HeadStore, options: StoreAuditOptions): Promise<Audit> {
  const { dataDir, signature, ...rest } = options;
  const { id: storeId } = await store.identity.read();
  const dir = auditDirectory(dataDir);
  return openAudit({ ...rest, ...signature, dir, storeId, heads: store.audit, lock: lockFile });
}

/**
 * What signs a store's checkpoints: a key pair that is made when it is first needed.
 *
 * @throws KmsError where it has to be made, and cannot
 */
export async function signatureOf(store: Store, { serial, run }: SigningToken): Promise<Signature> {
  const key = await store.audit.key();
  const publicKey = key.publicKey ?? (await store.exclusively('token-objects', () => make(store, run)));
  const sign = async (digest: Buffer) => (await run('sign', { object: key.id, digest })).signature;
  return { tokenSerial: serial, signer: { publicKey, sign } };
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
