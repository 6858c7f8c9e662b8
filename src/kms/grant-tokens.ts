/** Grant tokens: how a client names a grant that is too new to be known everywhere. Not secret, and no proof. */
import { randomBytes } from 'node:crypto';
import { KmsError } from '../errors';
import type { Kms } from './kms';

const FORMAT = 1;
const ID_BYTES = 32;
/** Makes two tokens of one grant differ. */
const RANDOM_BYTES = 15;
const BYTES = 1 + ID_BYTES + RANDOM_BYTES;

/** A new token of a grant, base64: the format, the grant's id, random bytes. */
export const newGrantToken = (grantId: string): string =>
  Buffer.concat([Buffer.of(FORMAT), Buffer.from(grantId, 'hex'), randomBytes(RANDOM_BYTES)]).toString(
    'base64',
  );

/**
 * The id of the grant that a token names; whether there is one is another question.
 *
 * @throws KmsError INVALID_GRANT_TOKEN
 */
export function grantIdOf(token: string): string {
  const bytes = Buffer.from(token, 'base64');
  if (bytes.length !== BYTES || bytes[0] !== FORMAT || bytes.toString('base64') !== token) {
    throw invalidGrantToken();
  }
  return bytes.toString('hex', 1, 1 + ID_BYTES);
}

/**
 * For every request that brings grant tokens: each must be one that this service made, of a grant that there is.
 *
 * @throws KmsError INVALID_GRANT_TOKEN
 */
export async function assertGrantTokens(
  { store }: Pick<Kms, 'store'>,
  tokens: readonly string[],
): Promise<void> {
  if (tokens.length === 0) return;
  const ids = new Set(tokens.map(grantIdOf));
  const existing = await store.grants.existing([...ids]);
  if (existing.length < ids.size) throw invalidGrantToken();
}

export const invalidGrantToken = (): KmsError =>
  new KmsError('INVALID_GRANT_TOKEN', 'The grant token is not valid.');
