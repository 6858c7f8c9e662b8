import * as keyPolicies from '../../../kms/key-policies';
import { operation } from '../operation';
import { keyId, limitOfKeys, marker, structure } from '../schema';

export const listKeyPolicies = operation({
  name: 'ListKeyPolicies',
  schema: structure({ KeyId: keyId }, { Limit: limitOfKeys, Marker: marker }),
  async run(kms, call, request) {
    const names = await keyPolicies.listKeyPolicies(kms, call, {
      keyId: request.KeyId,
      ...(request.Marker !== undefined && { marker: request.Marker }),
    });
    return { PolicyNames: names, Truncated: false };
  },
});
