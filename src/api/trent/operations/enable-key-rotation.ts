import * as rotation from '../../../kms/rotation';
import { operation } from '../operation';
import { keyId, rotationPeriodInDays, structure } from '../schema';

const DEFAULT_PERIOD_DAYS = 365;

export const enableKeyRotation = operation({
  name: 'EnableKeyRotation',
  schema: structure({ KeyId: keyId }, { RotationPeriodInDays: rotationPeriodInDays }),
  run: (kms, call, request) =>
    rotation.enableKeyRotation(kms, call, {
      keyId: request.KeyId,
      periodInDays: request.RotationPeriodInDays ?? DEFAULT_PERIOD_DAYS,
    }),
});
