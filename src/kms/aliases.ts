/** Names for keys. */
import { KmsError } from '../errors';
import type { AliasRow } from '../store/aliases';
import type { Arns } from './arns';
import type { Alias, AliasName, KeyId } from './key';
import { isAlias } from './key-reference';
import { describeKey, describeKeyWithoutAlias } from './keys';
import type { Call, Kms } from './kms';
import { type Page, pageOf } from './page';

const PREFIX = 'alias/';
/** Names that begin so belong to Amazon's services. */
const RESERVED_PREFIX = 'alias/aws/';
const ALIAS_NAME = /^alias\/[a-zA-Z0-9/_-]+$/;

/** @throws KmsError */
function parseAliasName(text: string): AliasName {
  if (!text.startsWith(PREFIX))
    throw new KmsError('INVALID_REQUEST', `An alias must begin with "${PREFIX}".`);
  if (text.startsWith(RESERVED_PREFIX)) {
    throw new KmsError('INVALID_ALIAS_NAME', `Names that begin with "${RESERVED_PREFIX}" are reserved.`);
  }
  if (!ALIAS_NAME.test(text)) {
    throw new KmsError(
      'INVALID_ALIAS_NAME',
      'An alias may have letters, digits, and the characters / _ - in it.',
    );
  }
  return text as AliasName;
}

/** @throws KmsError ALREADY_EXISTS, NOT_FOUND, or INVALID_… for a bad name */
export async function createAlias(
  kms: Kms,
  call: Call,
  { aliasName, targetKeyId }: { aliasName: string; targetKeyId: string },
): Promise<void> {
  const name = parseAliasName(aliasName);
  if (isAlias(targetKeyId)) throw new KmsError('INVALID_REQUEST', 'Aliases must refer to keys. Not aliases.');
  const key = await describeKey(kms, call, targetKeyId);
  if (!(await kms.store.aliases.create(name, key.id))) {
    throw new KmsError('ALREADY_EXISTS', `An alias with the name ${kms.arns.alias(name)} already exists`);
  }
  kms.keys.forget();
}

/** @throws KmsError NOT_FOUND */
export async function deleteAlias(kms: Kms, call: Call, { aliasName }: { aliasName: string }): Promise<void> {
  const name = parseAliasName(aliasName);
  const alias = await kms.store.aliases.find(name);
  if (!alias) throw new KmsError('NOT_FOUND', `Alias ${kms.arns.alias(name)} is not found.`);
  call.keyId = alias.key_id;
  await kms.store.aliases.remove(name);
  kms.keys.forget();
}

/** All aliases, or those of one key, in the order of their names. */
export async function listAliases(
  kms: Kms,
  call: Call,
  { keyId, limit, marker }: { keyId?: string; limit: number; marker?: string },
): Promise<Page<Alias>> {
  if (marker !== undefined && !marker.startsWith(PREFIX))
    throw new KmsError('INVALID_MARKER', 'The marker is not valid.');
  const key = keyId === undefined ? undefined : await describeKeyWithoutAlias(kms, call, keyId);
  const rows = await kms.store.aliases.list(limit + 1, marker, key?.id);
  return pageOf(
    rows.map((row) => aliasOf(kms.arns, row)),
    limit,
    ({ name }) => name,
  );
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
