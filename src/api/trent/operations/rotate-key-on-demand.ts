import * as rotation from '../../../kms/rotation';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const rotateKeyOnDemand = operation({
  name: 'RotateKeyOnDemand',
  schema: structure({ KeyId: keyId }, {}),
  async run(kms, call, request) {
    const key = await rotation.rotateKeyOnDemand(kms, call, request.KeyId);
    return { KeyId: key.id };
  },
});
