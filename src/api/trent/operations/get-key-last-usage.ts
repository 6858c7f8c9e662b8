import * as lastUsage from '../../../kms/last-usage';
import { seconds } from '../answers';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const getKeyLastUsage = operation({
  name: 'GetKeyLastUsage',
  schema: structure({ KeyId: keyId }, {}),
  async run(kms, call, request) {
    const { key, trackedSince, use } = await lastUsage.getKeyLastUsage(kms, call, request.KeyId);
    return {
      KeyId: key.id,
      KeyCreationDate: seconds(key.createdAt),
      TrackingStartDate: seconds(trackedSince),
      KeyLastUsage: use
        ? { Operation: use.operation, Timestamp: seconds(use.at), KmsRequestId: use.requestId }
        : {},
    };
  },
});
