import * as keyDeletion from '../../../kms/key-deletion';
import { KEY_STATES, seconds } from '../answers';
import { operation } from '../operation';
import { keyId, pendingWindowInDays, structure } from '../schema';

const DEFAULT_WINDOW_DAYS = 30;

export const scheduleKeyDeletion = operation({
  name: 'ScheduleKeyDeletion',
  schema: structure({ KeyId: keyId }, { PendingWindowInDays: pendingWindowInDays }),
  async run(kms, call, request) {
    const { key, at, windowInDays } = await keyDeletion.scheduleKeyDeletion(kms, call, {
      keyId: request.KeyId,
      windowInDays: request.PendingWindowInDays ?? DEFAULT_WINDOW_DAYS,
    });
    return {
      KeyId: key.arn,
      DeletionDate: seconds(at),
      KeyState: KEY_STATES[key.state],
      PendingWindowInDays: windowInDays,
    };
  },
});
