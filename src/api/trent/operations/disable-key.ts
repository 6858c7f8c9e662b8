import * as keys from '../../../kms/keys';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const disableKey = operation({
  name: 'DisableKey',
  schema: structure({ KeyId: keyId }, {}),
  run: (kms, call, request) => keys.disableKey(kms, call, request.KeyId),
});
