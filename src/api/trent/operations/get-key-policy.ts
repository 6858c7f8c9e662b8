import * as keyPolicies from '../../../kms/key-policies';
import { policyName } from '../access-schema';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const getKeyPolicy = operation({
  name: 'GetKeyPolicy',
  schema: structure({ KeyId: keyId }, { PolicyName: policyName }),
  async run(kms, call, request) {
    const name = request.PolicyName ?? keyPolicies.POLICY_NAME;
    const policy = await keyPolicies.getKeyPolicy(kms, call, { keyId: request.KeyId, name });
    return { Policy: policy, PolicyName: name };
  },
});
