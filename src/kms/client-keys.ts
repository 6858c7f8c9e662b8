/** Client keys, which Alibaba's SDKs sign with. For the command line; requests use the directory of principals. */
import { generateKeyPair, type KeyObject, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { KmsError } from '../errors';
import type { ClientKeyRepository, ClientKeyRow } from '../store/client-keys';

/** A client key as it is handed out. The store gets its public half. */
export interface ClientKey {
  readonly id: string;
  /** RSA. */
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Milliseconds since 1970, as all times are: whole seconds, as certificates have them. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Alibaba's: five years. */
export const DEFAULT_VALIDITY_MS = 5 * 365 * 86_400_000;

/** Alibaba's SDKs sign with RSA and SHA-256 alone. */
const MODULUS_BITS = 2_048;
const ID = /^KAAP\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A new id, in the form of Alibaba's. */
export const makeClientKeyId = (): string => `KAAP.${randomUUID()}`;

/** Whether a client key of p11kms's may have this id. */
export const isClientKeyId = (text: string): boolean => ID.test(text);

/** Makes a client key that nobody knows yet. */
export async function makeClientKey(validityMs: number): Promise<ClientKey> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS });
  const createdAt = Math.floor(Date.now() / 1_000) * 1_000;
  return { id: makeClientKeyId(), ...pair, createdAt, expiresAt: createdAt + validityMs };
}

/**
 * Puts the public half of a client key into the store: from then on, whoever has the private half is the principal.
 *
 * @throws KmsError NOT_FOUND where the principal is gone
 */
export async function keepClientKey(
  clientKeys: ClientKeyRepository,
  principal: string,
  { id, publicKey, createdAt, expiresAt }: ClientKey,
): Promise<void> {
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const row = { id, public_key: spki, created_at: createdAt, expires_at: expiresAt };
  if ((await clientKeys.create(principal, row)) === 'missing')
    throw new KmsError('NOT_FOUND', `there is no principal ${principal}: p11kms principals list shows them`);
}

/** @throws KmsError NOT_FOUND */
export async function findClientKey(clientKeys: ClientKeyRepository, id: string): Promise<ClientKeyRow> {
  const found = await clientKeys.find(id);
  if (!found) throw notFound(id);
  return found.clientKey;
}

/** @throws KmsError NOT_FOUND */
export async function deleteClientKey(clientKeys: ClientKeyRepository, id: string): Promise<void> {
  if (!(await clientKeys.remove(id))) throw notFound(id);
}

/** A client key ends at its time, not after it. */
export const hasExpired = ({ expires_at: expiresAt }: Pick<ClientKeyRow, 'expires_at'>): boolean =>
  expiresAt <= Date.now();

const notFound = (id: string): KmsError =>
  new KmsError('NOT_FOUND', `there is no client key ${id.slice(0, 64)}: p11kms client-keys list shows them`);
