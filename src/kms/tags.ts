/** Tags: words on keys. */
import { KmsError } from '../errors';
import type { Key, Tag } from './key';
import { TAGS_PER_KEY } from './key-access';
import { assertNotPendingDeletion } from './key-state';
import { changeKey, describeKeyWithoutAlias, factsOfTags } from './keys';
import type { Call, Kms } from './kms';
import { invalidMarker, type Page, pageOf } from './page';
import { textLength } from './text-length';

/** In characters. */
export const MAX_TAG_NAME_LENGTH = 128;
/** What AWS allows in names and values of tags: letters, spaces and digits of every script, and a few signs. */
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const RESERVED = /^aws:/i;

/**
 * What is asked of tags that a request brings; their lengths are the protocol's to check.
 *
 * @throws KmsError INVALID_TAG
 */
export function checkTags(tags: readonly Tag[]): void {
  const names = tags.map(({ name }) => name);
  if (new Set(names).size < names.length) throw invalidTag('Duplicate tag keys');
  checkNames(names);
  for (const { name, value } of tags) {
    if (!ALLOWED.test(name) || !ALLOWED.test(value)) {
      throw invalidTag(
        'Tag keys and values may have letters, digits, spaces and the characters _ . : / = + - @ in them.',
      );
    }
  }
}

function checkNames(names: readonly string[]): void {
  if (names.length > TAGS_PER_KEY) throw invalidTag('Too many tags');
  if (names.some((name) => RESERVED.test(name))) throw invalidTag('Tags beginning with aws: are reserved');
}

const invalidTag = (message: string): KmsError => new KmsError('INVALID_TAG', message);

/** @throws KmsError INVALID_TAG, LIMIT_EXCEEDED, INVALID_ARN, NOT_FOUND, INVALID_STATE */
export async function tagKey(
  kms: Kms,
  call: Call,
  { keyId, tags }: { keyId: string; tags: readonly Tag[] },
): Promise<void> {
  checkTags(tags);
  const facts = factsOfTags(new Map(tags.map(({ name, value }) => [name, value])));
  const write = async (key: Key) => {
    const outcome = await kms.store.tags.set(key.id, tags, TAGS_PER_KEY);
    if (outcome !== 'too-many') return outcome === 'done';
    throw new KmsError('LIMIT_EXCEEDED', `${key.arn} may have at most ${TAGS_PER_KEY} tags.`);
  };
  await changeKey(kms, call, keyId, assertNotPendingDeletion, write, { facts });
}

/**
 * Takes tags off a key, those of them that it has.
 *
 * @throws KmsError INVALID_TAG, INVALID_ARN, NOT_FOUND, INVALID_STATE
 */
export async function untagKey(
  kms: Kms,
  call: Call,
  { keyId, names }: { keyId: string; names: readonly string[] },
): Promise<void> {
  checkNames(names);
  const key = await describeKeyWithoutAlias(kms, call, keyId, { facts: { 'aws:TagKeys': names } });
  assertNotPendingDeletion(key);
  await kms.store.tags.remove(key.id, names);
  kms.keys.forget();
}

/**
 * A key's tags, in the order of their names.
 *
 * @throws KmsError INVALID_MARKER, INVALID_ARN, NOT_FOUND
 */
export async function listTags(
  kms: Kms,
  call: Call,
  { keyId, limit, marker }: { keyId: string; limit: number; marker?: string },
): Promise<Page<Tag>> {
  const after = marker === undefined ? undefined : nameOf(marker);
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  const tags = await kms.store.tags.list(key.id, limit + 1, after);
  return pageOf(tags, limit, ({ name }) => markerOf(name));
}

// A name may have characters in it that a marker may not have.
const markerOf = (name: string): string => Buffer.from(name, 'utf8').toString('base64url');

function nameOf(marker: string): string {
  const name = Buffer.from(marker, 'base64url').toString('utf8');
  if (markerOf(name) === marker && couldBeName(name)) return name;
  throw invalidMarker();
}

/** What no tag can be called is nothing to ask a store for: PostgreSQL refuses U+0000. */
const couldBeName = (name: string): boolean =>
  name !== '' && textLength(name) <= MAX_TAG_NAME_LENGTH && ALLOWED.test(name) && !RESERVED.test(name);
