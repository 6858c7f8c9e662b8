import * as grants from '../../../kms/grants';
import { grantId } from '../access-schema';
import { operation } from '../operation';
import { dryRun, keyId, structure } from '../schema';

export const revokeGrant = operation({
  name: 'RevokeGrant',
  schema: structure({ KeyId: keyId, GrantId: grantId }, { DryRun: dryRun }),
  run: (kms, call, request) =>
    grants.revokeGrant(kms, call, {
      keyId: request.KeyId,
      grantId: request.GrantId,
      dryRun: request.DryRun ?? false,
    }),
});
