/** Making keys, finding them, and changing what they are. */
import { randomUUID } from 'node:crypto';
import { KmsError } from '../errors';
import {
  type About,
  authorize,
  authorizeKey,
  authorizeUnknownKey,
  type Facts,
  factsOfBypass,
  KEY_FACTS,
} from './authorization';
import type { Key, KeyId } from './key';
import { keyNotFound, keyOf } from './key-directory';
import { isAlias, isKeyId, parseKeyReference } from './key-reference';
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
  /** Whether the lockout safety check was left out. */
  readonly bypass?: boolean;
}

/**
 * Makes a symmetric key.
 *
 * @throws KmsError ACCESS_DENIED
 */
export async function createKey(
  kms: Kms,
  call: Call,
  { bypass = false, ...request }: CreateKeyRequest,
): Promise<Key> {
  const tags = factsOfTags(request.tags ?? new Map());
  authorize(call, '*', { facts: { ...KEY_FACTS, ...factsOfBypass(bypass), ...tags } });
  if (request.tags && request.tags.size > 0) authorize(call, '*', { action: 'TagResource', facts: tags });
  const id = randomUUID() as KeyId;
  call.keyId = id;
  await makeVersion(kms, call, async (objects) => {
    await kms.store.versions.beginKey({ id, ...request, ...objects });
    return { keyId: id, number: 1 };
  });
  kms.keys.forget();
  return kms.keys.resolve(id);
}

/** Tags that a request brings, as conditions see them. */
export function factsOfTags(tags: ReadonlyMap<string, string>): Facts {
  if (tags.size === 0) return {};
  const named = [...tags].map(([name, value]) => [`aws:RequestTag/${name}`, value] as const);
  return { ...Object.fromEntries(named), 'aws:TagKeys': [...tags.keys()] };
}

/**
 * The key that a client names, if the caller may do with it what the request is about.
 *
 * @throws KmsError NOT_FOUND, ACCESS_DENIED
 */
export async function describeKey(kms: Kms, call: Call, keyId: string, about: About = {}): Promise<Key> {
  const reference = parseKeyReference(kms.arns, keyId);
  if (about.encryptionContext) call.encryptionContext = about.encryptionContext;
  const key = await kms.keys.find(reference);
  if (!key) {
    authorizeUnknownKey(kms, call, about, reference);
    throw keyNotFound(kms.arns, reference);
  }
  call.keyId = key.id;
  await authorizeKey(kms, call, key, { ...about, reference });
  return key;
}

/**
 * For the operations that take a key's id or ARN only.
 *
 * @throws KmsError INVALID_ARN for an alias, NOT_FOUND, ACCESS_DENIED
 */
export async function describeKeyWithoutAlias(
  kms: Kms,
  call: Call,
  keyId: string,
  about?: About,
): Promise<Key> {
  assertNoAlias(keyId);
  return describeKey(kms, call, keyId, about);
}

/** @throws KmsError INVALID_ARN */
export function assertNoAlias(keyId: string): void {
  if (isAlias(keyId)) throw new KmsError('INVALID_ARN', 'Key Aliases are not supported for this operation.');
}

/**
 * Changes a key whose state allows it: `assertState` says so of what is known, and `write` decides.
 *
 * @throws KmsError INVALID_ARN, NOT_FOUND, ACCESS_DENIED, INVALID_STATE, and what `assertState` throws
 */
export async function changeKey(
  kms: Kms,
  call: Call,
  keyId: string,
  assertState: (key: Key) => void,
  write: (key: Key) => Promise<boolean>,
  about?: About,
): Promise<Key> {
  const known = await describeKeyWithoutAlias(kms, call, keyId, about);
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

/** @throws KmsError INVALID_MARKER, ACCESS_DENIED */
export async function listKeys(
  kms: Kms,
  call: Call,
  { limit, marker }: { limit: number; marker?: string },
): Promise<Page<Key>> {
  authorize(call, '*');
  const { store, arns } = kms;
  if (marker !== undefined && !isKeyId(marker)) throw invalidMarker();
  const rows = await store.keys.list(limit + 1, marker);
  return pageOf(
    rows.map((row) => keyOf(arns, row)),
    limit,
    ({ id }) => id,
  );
}
