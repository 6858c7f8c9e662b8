import * as keys from '../../../kms/keys';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const enableKey = operation({
  name: 'EnableKey',
  schema: structure({ KeyId: keyId }, {}),
  run: (kms, call, request) => keys.enableKey(kms, call, request.KeyId),
});
