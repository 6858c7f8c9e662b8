import { KmsError } from '../../../errors';
import * as grants from '../../../kms/grants';
import { grantId, grantToken } from '../access-schema';
import { operation } from '../operation';
import { dryRun as dryRunFlag, keyId, structure } from '../schema';

export const retireGrant = operation({
  name: 'RetireGrant',
  schema: structure({}, { GrantToken: grantToken, KeyId: keyId, GrantId: grantId, DryRun: dryRunFlag }),
  run(kms, call, { GrantToken, KeyId, GrantId, DryRun: dryRun = false }) {
    if (GrantToken !== undefined && KeyId === undefined && GrantId === undefined) {
      return grants.retireGrantByToken(kms, call, { token: GrantToken, dryRun });
    }
    if (GrantToken === undefined && KeyId !== undefined && GrantId !== undefined) {
      return grants.retireGrant(kms, call, { keyId: KeyId, grantId: GrantId, dryRun });
    }
    throw new KmsError('INVALID_REQUEST', 'Grant token OR (grant ID, key ID) must be specified');
  },
});
