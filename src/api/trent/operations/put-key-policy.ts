import * as keyPolicies from '../../../kms/key-policies';
import { policy, policyName } from '../access-schema';
import { operation } from '../operation';
import { bypassPolicyLockoutSafetyCheck, keyId, structure } from '../schema';

export const putKeyPolicy = operation({
  name: 'PutKeyPolicy',
  schema: structure(
    { KeyId: keyId, Policy: policy },
    { PolicyName: policyName, BypassPolicyLockoutSafetyCheck: bypassPolicyLockoutSafetyCheck },
  ),
  run: (kms, call, request) =>
    keyPolicies.putKeyPolicy(kms, call, {
      keyId: request.KeyId,
      name: request.PolicyName ?? keyPolicies.POLICY_NAME,
      policy: request.Policy,
      bypass: request.BypassPolicyLockoutSafetyCheck ?? false,
    }),
});
