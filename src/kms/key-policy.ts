/** The policy that applies to a key. */
import { parsePolicy } from '../access/parse-policy';
import type { PolicyDocument } from '../access/policy-document';
import type { Arns } from './arns';
import type { Key } from './key';

/** What applies while nobody has put another: the account may do everything, and so may say who else may. */
export const defaultKeyPolicy = ({ accountRoot }: Pick<Arns, 'accountRoot'>): string =>
  JSON.stringify(
    {
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: accountRoot },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    },
    null,
    2,
  );

// Read once each: a key's object lives as long as the directory remembers it, and Arns as long as the service.
const ofKeys = new WeakMap<Key, PolicyDocument>();
const defaults = new WeakMap<Arns, PolicyDocument>();

/** @throws where the store holds what is no policy: nothing is allowed then */
export function keyPolicyOf(arns: Arns, key: Key): PolicyDocument {
  const { policy } = key;
  if (policy === undefined) return remembered(defaults, arns, () => defaultKeyPolicy(arns));
  return remembered(ofKeys, key, () => policy);
}

function remembered<K extends object>(
  documents: WeakMap<K, PolicyDocument>,
  key: K,
  text: () => string,
): PolicyDocument {
  const known = documents.get(key);
  if (known) return known;
  const document = read(text());
  documents.set(key, document);
  return document;
}

function read(text: string): PolicyDocument {
  try {
    return parsePolicy(text);
  } catch (cause) {
    // It was checked before it was put: no fault of this request's.
    throw new Error('the key policy in the store cannot be read', { cause });
  }
}
