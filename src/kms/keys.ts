/** Making keys and changing their state. */
import { randomBytes, randomUUID } from 'node:crypto';
import { KmsError } from '../errors';
import type { UnfinishedVersion } from '../store/keys';
import type { Key, KeyId } from './key';
import { keyOf } from './key-directory';
import { isAlias, isKeyId } from './key-reference';
import { assertNotPendingDeletion } from './key-state';
import type { Call, Kms } from './kms';
import { labelPrefix } from './object-label';
import { type Page, pageOf } from './page';

/** CKA_ID is random and never derived: some tokens replace an object whose CKA_ID is taken. */
const newObjectId = (): string => randomBytes(16).toString('hex');

/**
 * Makes a symmetric key: first the row, then the objects, then the row becomes active. A crash in between leaves a
 * row in state creating, by whose ids `removeUnfinished` cleans up.
 */
export async function createKey(kms: Kms, call: Call, request: { description: string }): Promise<Key> {
  const { store, token, keys } = kms;
  const id = randomUUID() as KeyId;
  call.keyId = id;
  const encryptObject = newObjectId();
  const wrapObject = newObjectId();
  const label = (role: string) => `${labelPrefix(kms.storeId)}${id}/1/${role}`;
  await store.keys.begin({ id, description: request.description, encryptObject, wrapObject });
  const objects = {
    encrypt: { id: encryptObject, label: label('encrypt') },
    wrap: { id: wrapObject, label: label('wrap') },
  };
  try {
    await token.run('createKeyObjects', objects, call);
  } catch (error) {
    await tryToRemove(kms, { keyId: id, number: 1, objects: [encryptObject, wrapObject] }, error);
    throw error;
  }
  await store.keys.finish(id);
  keys.forget();
  return keys.resolve(id);
}

/** What cannot be removed now is left to the next `removeUnfinished`. */
async function tryToRemove(kms: Kms, version: UnfinishedVersion, error: unknown): Promise<void> {
  // The token may still be making the objects: too early to see them gone.
  if (error instanceof KmsError && error.code === 'TOKEN_TIMEOUT') return;
  try {
    await remove(kms, version);
  } catch {
    // The error that brought us here is the one to report.
  }
}

async function remove({ store, token }: TokenAndStore, version: UnfinishedVersion): Promise<void> {
  await token.run('destroyObjects', { ids: version.objects });
  await store.keys.abandon(version);
}

/**
 * Cleans up after key versions whose making was cut short.
 *
 * @param olderThanMs leaves those alone that may still be in the making
 * @returns how many there were
 * @throws KmsError where the token cannot be reached
 */
export async function removeUnfinished(kms: TokenAndStore, olderThanMs = 0): Promise<number> {
  const unfinished = await kms.store.keys.unfinished(olderThanMs);
  for (const version of unfinished) await remove(kms, version);
  return unfinished.length;
}

type TokenAndStore = Pick<Kms, 'store' | 'token'>;

/** @throws KmsError NOT_FOUND */
export async function describeKey({ keys }: Kms, call: Call, keyId: string): Promise<Key> {
  const key = await keys.resolve(keyId);
  call.keyId = key.id;
  return key;
}

export async function enableKey(kms: Kms, call: Call, keyId: string): Promise<void> {
  await setState(kms, call, keyId, 'enabled');
}

export async function disableKey(kms: Kms, call: Call, keyId: string): Promise<void> {
  await setState(kms, call, keyId, 'disabled');
}

/**
 * For the operations that take a key's id or ARN only.
 *
 * @throws KmsError INVALID_ARN for an alias, NOT_FOUND
 */
export async function describeKeyWithoutAlias(kms: Kms, call: Call, keyId: string): Promise<Key> {
  if (isAlias(keyId)) throw new KmsError('INVALID_ARN', 'Key Aliases are not supported for this operation.');
  return describeKey(kms, call, keyId);
}

async function setState(kms: Kms, call: Call, keyId: string, state: 'enabled' | 'disabled'): Promise<void> {
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  await kms.store.keys.setState(key.id, state);
  kms.keys.forget();
}

/** @throws KmsError INVALID_ARN, NOT_FOUND, INVALID_STATE */
export async function updateKeyDescription(
  kms: Kms,
  call: Call,
  { keyId, description }: { keyId: string; description: string },
): Promise<void> {
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  assertNotPendingDeletion(key);
  await kms.store.keys.setDescription(key.id, description);
  kms.keys.forget();
}

/** @throws KmsError INVALID_MARKER */
export async function listKeys(
  { store, arns }: Kms,
  _call: Call,
  { limit, marker }: { limit: number; marker?: string },
): Promise<Page<Key>> {
  if (marker !== undefined && !isKeyId(marker))
    throw new KmsError('INVALID_MARKER', 'The marker is not valid.');
  const rows = await store.keys.list(limit + 1, marker);
  return pageOf(
    rows.map((row) => keyOf(arns, row)),
    limit,
    ({ id }) => id,
  );
}
