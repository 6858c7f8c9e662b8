import { KmsError } from '../../../errors';
import * as keys from '../../../kms/keys';
import { keyMetadata } from '../answers';
import { operation } from '../operation';
import {
  bypassPolicyLockoutSafetyCheck,
  choice,
  description,
  keySpec,
  keyUsage,
  lacking,
  multiRegion,
  structure,
} from '../schema';

export const createKey = operation({
  name: 'CreateKey',
  schema: structure(
    {},
    {
      Description: description,
      KeySpec: keySpec,
      CustomerMasterKeySpec: keySpec,
      KeyUsage: keyUsage,
      Origin: choice(['AWS_KMS'], ['EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']),
      MultiRegion: multiRegion,
      BypassPolicyLockoutSafetyCheck: bypassPolicyLockoutSafetyCheck,
      Policy: lacking('string'),
      Tags: lacking('array'),
      CustomKeyStoreId: lacking('string'),
      XksKeyId: lacking('string'),
    },
  ),
  async run(kms, call, request) {
    if (request.KeySpec !== undefined && request.CustomerMasterKeySpec !== undefined) {
      throw new KmsError(
        'INVALID_REQUEST',
        'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
      );
    }
    const key = await keys.createKey(kms, call, { description: request.Description ?? '' });
    return { KeyMetadata: keyMetadata(kms, key) };
  },
});
