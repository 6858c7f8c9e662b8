/** Making keys, finding them, and changing what they are. */
import { randomUUID } from 'node:crypto';
import { KmsError } from '../errors';
import type { Key, KeyId } from './key';
import { keyOf } from './key-directory';
import { isAlias, isKeyId } from './key-reference';
import { assertNotPendingDeletion } from './key-state';
import { makeVersion } from './key-versions';
import type { Call, Kms } from './kms';
import { invalidMarker, type Page, pageOf } from './page';

export interface CreateKeyRequest {
  readonly description: string;
  /** A key policy, JSON, that `checkKeyPolicy` let pass; absent for the default policy. */
  readonly policy?: string;
  /** That `checkTags` let pass. */
  readonly tags?: ReadonlyMap<string, string>;
}

/** Makes a symmetric key. */
export async function createKey(kms: Kms, call: Call, request: CreateKeyRequest): Promise<Key> {
  const id = randomUUID() as KeyId;
  call.keyId = id;
  await makeVersion(kms, call, async (objects) => {
    await kms.store.versions.beginKey({ id, ...request, ...objects });
    return { keyId: id, number: 1 };
  });
  kms.keys.forget();
  return kms.keys.resolve(id);
}

/** @throws KmsError NOT_FOUND */
export async function describeKey({ keys }: Kms, call: Call, keyId: string): Promise<Key> {
  const key = await keys.resolve(keyId);
  call.keyId = key.id;
  return key;
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

/**
 * Changes a key whose state allows it: `assertState` says so of what is known, and `write` decides.
 *
 * @throws KmsError INVALID_ARN, NOT_FOUND, INVALID_STATE, and what `assertState` throws
 */
export async function changeKey(
  kms: Kms,
  call: Call,
  keyId: string,
  assertState: (key: Key) => void,
  write: (key: Key) => Promise<boolean>,
): Promise<Key> {
  const known = await describeKeyWithoutAlias(kms, call, keyId);
  assertState(known);
  const written = await write(known);
  kms.keys.forget();
  const key = await kms.keys.resolve(known.id);
  if (written) return key;
  // Somebody else was faster.
  assertState(key);
  throw new KmsError('INVALID_STATE', `${key.arn} is in a state that does not allow this now.`);
}

export async function enableKey(kms: Kms, call: Call, keyId: string): Promise<void> {
  await changeKey(kms, call, keyId, assertNotPendingDeletion, ({ id }) =>
    kms.store.keys.setState(id, 'enabled'),
  );
}

export async function disableKey(kms: Kms, call: Call, keyId: string): Promise<void> {
  await changeKey(kms, call, keyId, assertNotPendingDeletion, ({ id }) =>
    kms.store.keys.setState(id, 'disabled'),
  );
}

export async function updateKeyDescription(
  kms: Kms,
  call: Call,
  { keyId, description }: { keyId: string; description: string },
): Promise<void> {
  await changeKey(kms, call, keyId, assertNotPendingDeletion, ({ id }) =>
    kms.store.keys.setDescription(id, description),
  );
}

/** @throws KmsError INVALID_MARKER */
export async function listKeys(
  { store, arns }: Kms,
  _call: Call,
  { limit, marker }: { limit: number; marker?: string },
): Promise<Page<Key>> {
  if (marker !== undefined && !isKeyId(marker)) throw invalidMarker();
  const rows = await store.keys.list(limit + 1, marker);
  return pageOf(
    rows.map((row) => keyOf(arns, row)),
    limit,
    ({ id }) => id,
  );
}
