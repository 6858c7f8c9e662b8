import { parseIdentityPolicy } from '../../../src/access/parse-policy';
import type { Key } from '../../../src/kms/key';
import { createKey } from '../../../src/kms/keys';
import type { Call } from '../../../src/kms/kms';
import type { Principal } from '../../../src/kms/principal-directory';
import { identityPolicyOf } from '../access/policies';
import { type Domain, newCall, openDomain } from './fixture';

const ACCOUNT = '111122223333';
export const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;

/** A user of the account whose identity policy has these statements; by default they allow all of the actions, on everything. */
export const user = (name: string, ...statements: object[]): Principal => ({
  identity: { arn: `arn:aws:iam::${ACCOUNT}:user/${name}`, account: ACCOUNT, kind: 'user', name },
  policies: statements.length > 0 ? [parseIdentityPolicy(identityPolicyOf(...statements))] : [],
});

/** Alice, who may do no more than these statements say. */
export const alice = (...statements: object[]): Principal => user('alice', ...statements);

export const nobody = alice();

/** A request of Alice's. */
export const aliceCalls = (operation: string, ...statements: object[]): Call =>
  newCall(alice(...statements), operation);

export interface WithKey extends Domain {
  readonly key: Key;
}

/** A key, which the root principal has made. */
export async function withKey(policy?: string): Promise<WithKey> {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '', ...(policy && { policy }) });
  return { ...domain, key };
}
