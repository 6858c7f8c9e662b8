import * as keyDeletion from '../../../kms/key-deletion';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const cancelKeyDeletion = operation({
  name: 'CancelKeyDeletion',
  schema: structure({ KeyId: keyId }, {}),
  async run(kms, call, request) {
    const key = await keyDeletion.cancelKeyDeletion(kms, call, request.KeyId);
    return { KeyId: key.arn };
  },
});
