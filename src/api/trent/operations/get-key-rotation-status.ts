import * as keys from '../../../kms/keys';
import { seconds } from '../answers';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const getKeyRotationStatus = operation({
  name: 'GetKeyRotationStatus',
  schema: structure({ KeyId: keyId }, {}),
  async run(kms, call, request) {
    const { id, state, rotation } = await keys.describeKeyWithoutAlias(kms, call, request.KeyId);
    // A key that is pending deletion is not rotated; its schedule comes back if the deletion is cancelled.
    if (!rotation || state === 'pending-deletion') return { KeyId: id, KeyRotationEnabled: false };
    return {
      KeyId: id,
      KeyRotationEnabled: true,
      RotationPeriodInDays: rotation.periodInDays,
      NextRotationDate: seconds(rotation.nextAt),
    };
  },
});
