/** What clients may write for a key: its id, its ARN, an alias, an alias ARN. */
import { KmsError } from '../errors';
import type { Arns } from './arns';
import type { AliasName, KeyId } from './key';

export type KeyReference =
  | { readonly kind: 'id'; readonly id: KeyId }
  | { readonly kind: 'alias'; readonly name: AliasName };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isKeyId(text: string): text is KeyId {
  return UUID.test(text);
}

/** Whether a reference is an alias or the ARN of one, of whatever account. */
export function isAlias(text: string): boolean {
  return /^(arn:.*:)?alias\//.test(text);
}

/**
 * Reads a reference; whether what it names exists is another question.
 *
 * @throws KmsError NOT_FOUND where it can name nothing here
 */
export function parseKeyReference(arns: Arns, text: string): KeyReference {
  const isArn = text.startsWith('arn:');
  const local = isArn ? withoutPrefix(arns, text) : text;
  if (local.startsWith('alias/')) return { kind: 'alias', name: local as AliasName };
  const id = isArn ? afterKey(local) : local;
  if (id !== undefined && isKeyId(id)) return { kind: 'id', id };
  throw new KmsError('NOT_FOUND', `Invalid keyId '${text.slice(0, 256)}'`);
}

function afterKey(resource: string): string | undefined {
  return resource.startsWith('key/') ? resource.slice('key/'.length) : undefined;
}

function withoutPrefix(arns: Arns, arn: string): string {
  const prefix = `${arns.prefix}:`;
  if (arn.startsWith(prefix)) return arn.slice(prefix.length);
  throw new KmsError(
    'NOT_FOUND',
    `Invalid arn ${arn.slice(0, 256)}: this service's ARNs begin with ${prefix}`,
  );
}
