import * as keys from '../../../kms/keys';
import { keyMetadata } from '../answers';
import { operation } from '../operation';
import { grantTokens, keyId, structure } from '../schema';

export const describeKey = operation({
  name: 'DescribeKey',
  schema: structure({ KeyId: keyId }, { GrantTokens: grantTokens }),
  async run(kms, call, request) {
    const key = await keys.describeKey(kms, call, request.KeyId);
    return { KeyMetadata: keyMetadata(kms, key) };
  },
});
