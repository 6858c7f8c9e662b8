import { checkConstraints } from '../../../kms/grant-constraints';
import * as grants from '../../../kms/grants';
import { grantConstraints, grantName, grantOperations, principal, servicePrincipal } from '../access-schema';
import { operation } from '../operation';
import { dryRun, grantTokens, keyId, structure } from '../schema';
import { missing } from '../wording';

export const createGrant = operation({
  name: 'CreateGrant',
  schema: structure(
    { KeyId: keyId, Operations: grantOperations },
    {
      // Not required, because of grants to services; p11kms has no such grants.
      GranteePrincipal: principal,
      RetiringPrincipal: principal,
      GranteeServicePrincipal: servicePrincipal,
      RetiringServicePrincipal: servicePrincipal,
      Constraints: grantConstraints,
      GrantTokens: grantTokens,
      Name: grantName,
      DryRun: dryRun,
    },
  ),
  async run(kms, call, request) {
    if (request.GranteePrincipal === undefined) throw missing('GranteePrincipal');
    const { EncryptionContextEquals: equals, EncryptionContextSubset: subset } = request.Constraints ?? {};
    const constraints = checkConstraints(equals, subset);
    const { grantId, token } = await grants.createGrant(kms, call, {
      keyId: request.KeyId,
      granteePrincipal: request.GranteePrincipal,
      ...(request.RetiringPrincipal !== undefined && { retiringPrincipal: request.RetiringPrincipal }),
      operations: request.Operations,
      ...(constraints && { constraints }),
      ...(request.Name !== undefined && { name: request.Name }),
      dryRun: request.DryRun ?? false,
    });
    return { GrantId: grantId, GrantToken: token };
  },
});
