import * as rotation from '../../../kms/rotation';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const disableKeyRotation = operation({
  name: 'DisableKeyRotation',
  schema: structure({ KeyId: keyId }, {}),
  run: (kms, call, request) => rotation.disableKeyRotation(kms, call, request.KeyId),
});
