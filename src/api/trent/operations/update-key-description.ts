import * as keys from '../../../kms/keys';
import { operation } from '../operation';
import { description, keyId, structure } from '../schema';

export const updateKeyDescription = operation({
  name: 'UpdateKeyDescription',
  schema: structure({ KeyId: keyId, Description: description }, {}),
  run: (kms, call, request) =>
    keys.updateKeyDescription(kms, call, { keyId: request.KeyId, description: request.Description }),
});
