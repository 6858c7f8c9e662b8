/** Names for keys. */
import { KmsError } from '../errors';
import { type AliasRow, MAX_ALIASES, type NotNamed } from '../store/aliases';
import type { Arns } from './arns';
import { authorize, authorizeKey } from './authorization';
import type { Alias, AliasName, Key, KeyId } from './key';
import { aliasNotFound } from './key-directory';
import { isAlias } from './key-reference';
import { pendingDeletion } from './key-state';
import { assertNoAlias, describeKey } from './keys';
import type { Call, Kms } from './kms';
import { invalidMarker, type Page, pageOf } from './page';

const PREFIX = 'alias/';
/** Names that begin so belong to Amazon's services. */
const RESERVED_PREFIX = 'alias/aws/';
const ALIAS_NAME = /^alias\/[a-zA-Z0-9/_-]+$/;

/** @throws KmsError INVALID_REQUEST */
function parseAliasName(text: string): AliasName {
  if (!text.startsWith(PREFIX))
    throw new KmsError('INVALID_REQUEST', `Alias must start with the prefix "${PREFIX}".`);
  return text as AliasName;
}

/** @throws KmsError INVALID_REQUEST, INVALID_ALIAS_NAME */
function parseNewAliasName(text: string): AliasName {
  const name = parseAliasName(text);
  if (name.startsWith(RESERVED_PREFIX)) {
    throw new KmsError('INVALID_ALIAS_NAME', `Names that begin with "${RESERVED_PREFIX}" are reserved.`);
  }
  if (ALIAS_NAME.test(name)) return name;
  throw new KmsError(
    'INVALID_ALIAS_NAME',
    'An alias may have letters, digits, and the characters / _ - in it.',
  );
}

interface NamingRequest {
  readonly aliasName: string;
  /** A key's id or ARN. */
  readonly targetKeyId: string;
}

/** @throws KmsError ALREADY_EXISTS, LIMIT_EXCEEDED, NOT_FOUND, INVALID_STATE, or INVALID_… for a bad name */
export async function createAlias(
  kms: Kms,
  call: Call,
  { aliasName, targetKeyId }: NamingRequest,
): Promise<void> {
  const name = parseNewAliasName(aliasName);
  call.details = { alias: name };
  authorize(call, kms.arns.alias(name));
  const key = await findTarget(kms, call, targetKeyId);
  const outcome = await kms.store.aliases.create(name, key.id);
  kms.keys.forget();
  if (outcome === 'taken') {
    throw new KmsError('ALREADY_EXISTS', `An alias with the name ${kms.arns.alias(name)} already exists`);
  }
  if (outcome !== 'done') throw notNamed(key, outcome);
}

/**
 * Makes an alias name another key. Whatever the state of the key before: it says nothing about the new one.
 *
 * @throws KmsError NOT_FOUND, LIMIT_EXCEEDED, INVALID_STATE, INVALID_REQUEST
 */
export async function updateAlias(
  kms: Kms,
  call: Call,
  { aliasName, targetKeyId }: NamingRequest,
): Promise<void> {
  const name = parseAliasName(aliasName);
  call.details = { alias: name };
  authorize(call, kms.arns.alias(name));
  for (;;) {
    const from = await namedKey(kms, call, name);
    call.details = { alias: name, previousKey: kms.arns.key(from) };
    const to = await findTarget(kms, call, targetKeyId);
    const outcome = await kms.store.aliases.update(name, { from, to: to.id });
    kms.keys.forget();
    if (outcome === 'done') return;
    // Where it names another key by now, the caller may need another permission.
    if (outcome !== 'moved') throw notNamed(to, outcome);
  }
}

async function findTarget(kms: Kms, call: Call, targetKeyId: string): Promise<Key> {
  if (isAlias(targetKeyId)) throw new KmsError('INVALID_REQUEST', 'Aliases must refer to keys. Not aliases');
  return describeKey(kms, call, targetKeyId);
}

/** The key that an alias names now: changing that is about this key, too, of which a refusal shows nothing. */
async function namedKey(kms: Kms, call: Call, name: AliasName): Promise<KeyId> {
  const alias = await kms.store.aliases.find(name);
  const key = alias && (await kms.keys.findById(alias.key_id as KeyId));
  if (!key) throw aliasNotFound(kms.arns, name);
  call.keyId = key.id;
  await authorizeKey(kms, call, key, { shown: kms.arns.alias(name) });
  return key.id;
}

function notNamed(key: Key, why: NotNamed): KmsError {
  if (why === 'key-gone') return pendingDeletion(key);
  return new KmsError(
    'LIMIT_EXCEEDED',
    `Aliases per key quota for this account in this region is ${MAX_ALIASES}, current usage is ${MAX_ALIASES}.`,
  );
}

/** @throws KmsError NOT_FOUND, INVALID_REQUEST */
export async function deleteAlias(kms: Kms, call: Call, { aliasName }: { aliasName: string }): Promise<void> {
  const name = parseAliasName(aliasName);
  call.details = { alias: name };
  authorize(call, kms.arns.alias(name));
  let removed = false;
  while (!removed) removed = await kms.store.aliases.remove(name, await namedKey(kms, call, name));
  kms.keys.forget();
}

/** All aliases, or those of one key, in the order of their names. */
export async function listAliases(
  kms: Kms,
  call: Call,
  { keyId, limit, marker }: { keyId?: string; limit: number; marker?: string },
): Promise<Page<Alias>> {
  authorize(call, '*');
  if (marker !== undefined && !marker.startsWith(PREFIX)) throw invalidMarker();
  const key = keyId === undefined ? undefined : await listedKey(kms, call, keyId);
  const rows = await kms.store.aliases.list(limit + 1, marker, key?.id);
  return pageOf(
    rows.map((row) => aliasOf(kms.arns, row)),
    limit,
    ({ name }) => name,
  );
}

/** Listing aliases is a permission of its own, which needs none for their keys. */
async function listedKey({ keys }: Kms, call: Call, keyId: string): Promise<Key> {
  assertNoAlias(keyId);
  const key = await keys.resolve(keyId);
  call.keyId = key.id;
  return key;
}

function aliasOf(arns: Arns, row: AliasRow): Alias {
  const name = row.name as AliasName;
  return {
    name,
    arn: arns.alias(name),
    keyId: row.key_id as KeyId,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
  };
}
