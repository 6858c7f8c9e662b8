import { KmsError } from '../../../errors';
import { checkKeyPolicy } from '../../../kms/key-policies';
import * as keys from '../../../kms/keys';
import { checkTags } from '../../../kms/tags';
import { ABSENT } from '../absent';
import { policy, tags } from '../access-schema';
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
import { tagOf } from '../tag';

export const createKey = operation({
  name: 'CreateKey',
  schema: structure(
    {},
    {
      Description: description,
      KeySpec: keySpec,
      CustomerMasterKeySpec: keySpec,
      KeyUsage: keyUsage,
      Origin: choice(
        ['AWS_KMS'],
        ['EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'],
        "key material is made on the service's own token",
      ),
      MultiRegion: multiRegion,
      BypassPolicyLockoutSafetyCheck: bypassPolicyLockoutSafetyCheck,
      Policy: policy,
      Tags: tags,
      CustomKeyStoreId: lacking('string', ABSENT.customKeyStores),
      XksKeyId: lacking('string', ABSENT.customKeyStores),
    },
  ),
  async run(kms, call, request) {
    if (request.KeySpec !== undefined && request.CustomerMasterKeySpec !== undefined) {
      throw new KmsError(
        'INVALID_REQUEST',
        'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
      );
    }
    const { Description: description = '', KeyUsage = 'ENCRYPT_DECRYPT', Policy } = request;
    // Other key specs are refused as unsupported before this.
    if (KeyUsage !== 'ENCRYPT_DECRYPT') {
      throw new KmsError(
        'INVALID_REQUEST',
        `KeyUsage ${KeyUsage} is not compatible with KeySpec SYMMETRIC_DEFAULT`,
      );
    }
    const newTags = (request.Tags ?? []).map(tagOf);
    checkTags(newTags);
    const bypass = request.BypassPolicyLockoutSafetyCheck ?? false;
    if (Policy !== undefined) {
      checkKeyPolicy(kms, call, Policy, { bypass });
    }
    const key = await keys.createKey(kms, call, {
      description,
      bypass,
      tags: new Map(newTags.map(({ name, value }) => [name, value])),
      ...(Policy !== undefined && { policy: Policy }),
    });
    return { KeyMetadata: keyMetadata(kms, key) };
  },
});
