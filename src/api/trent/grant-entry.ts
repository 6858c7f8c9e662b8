import type { Grant } from '../../kms/grant';
import type { GrantConstraints } from '../../kms/grant-constraints';
import type { Kms } from '../../kms/kms';
import { seconds } from './answers';

const CONSTRAINTS = { equals: 'EncryptionContextEquals', subset: 'EncryptionContextSubset' } as const;

/** A grant as listings show it. */
export const grantEntry = ({ arns }: Kms, grant: Grant) => ({
  KeyId: grant.keyArn,
  GrantId: grant.id,
  // AWS shows an empty name where there is none.
  Name: grant.name ?? '',
  CreationDate: seconds(grant.createdAt),
  GranteePrincipal: grant.granteePrincipal,
  ...(grant.retiringPrincipal !== undefined && { RetiringPrincipal: grant.retiringPrincipal }),
  IssuingAccount: arns.accountRoot,
  Operations: grant.operations,
  ...(grant.constraints && { Constraints: constraintsMember(grant.constraints) }),
});

const constraintsMember = ({ kind, pairs }: GrantConstraints) => ({
  [CONSTRAINTS[kind]]: Object.fromEntries(pairs),
});
