import type { Operation } from '../operation';
import { createAlias } from './create-alias';
import { createGrant } from './create-grant';
import { createKey } from './create-key';
import { decrypt } from './decrypt';
import { deleteAlias } from './delete-alias';
import { describeKey } from './describe-key';
import { disableKey } from './disable-key';
import { enableKey } from './enable-key';
import { encrypt } from './encrypt';
import { generateDataKey } from './generate-data-key';
import { generateDataKeyPair } from './generate-data-key-pair';
import { generateDataKeyPairWithoutPlaintext } from './generate-data-key-pair-without-plaintext';
import { generateDataKeyWithoutPlaintext } from './generate-data-key-without-plaintext';
import { generateRandom } from './generate-random';
import { getKeyPolicy } from './get-key-policy';
import { listAliases } from './list-aliases';
import { listGrants } from './list-grants';
import { listKeyPolicies } from './list-key-policies';
import { listKeys } from './list-keys';
import { listResourceTags } from './list-resource-tags';
import { listRetirableGrants } from './list-retirable-grants';
import { putKeyPolicy } from './put-key-policy';
import { retireGrant } from './retire-grant';
import { revokeGrant } from './revoke-grant';
import { tagResource } from './tag-resource';
import { untagResource } from './untag-resource';

const operations: readonly Operation[] = [
  createAlias,
  createGrant,
  createKey,
  decrypt,
  deleteAlias,
  describeKey,
  disableKey,
  enableKey,
  encrypt,
  generateDataKey,
  generateDataKeyPair,
  generateDataKeyPairWithoutPlaintext,
  generateDataKeyWithoutPlaintext,
  generateRandom,
  getKeyPolicy,
  listAliases,
  listGrants,
  listKeyPolicies,
  listKeys,
  listResourceTags,
  listRetirableGrants,
  putKeyPolicy,
  retireGrant,
  revokeGrant,
  tagResource,
  untagResource,
];

/** Every operation by its X-Amz-Target. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  operations.map((operation) => [`TrentService.${operation.name}`, operation]),
);
