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

/**
 * Reads a reference; whether what it names exists is another question.
 *
 * @throws KmsError NOT_FOUND where it can name nothing here
 */
export function parseKeyReference(arns: Arns, text: string): KeyReference {
  const local = text.startsWith('arn:') ? withoutPrefix(arns, text) : text;
  if (local.startsWith('alias/')) return { kind: 'alias', name: local as AliasName };
  const id = text === local ? local : local.replace(/^key\//, '');
  if (isKeyId(id)) return { kind: 'id', id };
  throw new KmsError('NOT_FOUND', `Invalid keyId '${text.slice(0, 256)}'`);
}

function withoutPrefix(arns: Arns, arn: string): string {
  const prefix = `${arns.prefix}:`;
  if (arn.startsWith(prefix)) return arn.slice(prefix.length);
  throw new KmsError(
    'NOT_FOUND',
    `Invalid arn ${arn.slice(0, 256)}: this service's ARNs begin with ${prefix}`,
  );
}
