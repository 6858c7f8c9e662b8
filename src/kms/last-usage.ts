import type { Key } from './key';
import { describeKeyWithoutAlias } from './keys';
import type { Call, Kms } from './kms';

export interface LastUsage {
  readonly key: Key;
  /** Uses before that are not known. */
  readonly trackedSince: Date;
  readonly use?: { readonly operation: string; readonly requestId: string; readonly at: Date };
}

/** @throws KmsError NOT_FOUND, INVALID_ARN */
export async function getKeyLastUsage(kms: Kms, call: Call, keyId: string): Promise<LastUsage> {
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  await kms.usage.flush();
  const row = await kms.store.usage.find(key.id);
  const trackedSince = new Date(Math.max(await kms.store.usage.trackedSince(), key.createdAt.getTime()));
  if (!row) return { key, trackedSince };
  const { operation, request_id: requestId, used_at } = row;
  return { key, trackedSince, use: { operation, requestId, at: new Date(used_at) } };
}
