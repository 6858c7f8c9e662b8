/** Scheduling the deletion of keys, and destroying those that are due. */
import { KmsError } from '../errors';
import { DAY_MS } from '../store/keys';
import { each } from './each';
import type { Key } from './key';
import { assertNotPendingDeletion } from './key-state';
import { changeKey } from './keys';
import type { Call, Kms } from './kms';
import type { DoRecorded } from './recorded-work';

/** A key pending deletion. */
export interface ScheduledDeletion {
  readonly key: Key;
  /** When the key will be destroyed. */
  readonly at: Date;
  readonly windowInDays: number;
}

/** @throws KmsError NOT_FOUND, INVALID_ARN, INVALID_STATE */
export async function scheduleKeyDeletion(
  kms: Kms,
  call: Call,
  { keyId, windowInDays }: { keyId: string; windowInDays: number },
): Promise<ScheduledDeletion> {
  call.details = { windowInDays };
  const windowMs = windowInDays * DAY_MS;
  const at = Date.now() + windowMs;
  const key = await changeKey(
    kms,
    call,
    keyId,
    assertNotPendingDeletion,
    ({ id }) => kms.store.deletions.schedule(id, { windowDays: windowInDays, windowMs, at }),
    { facts: { 'kms:ScheduleKeyDeletionPendingWindowInDays': String(windowInDays) } },
  );
  return { key, at: new Date(at), windowInDays };
}

/** @throws KmsError NOT_FOUND, INVALID_ARN, INVALID_STATE */
export async function cancelKeyDeletion(kms: Kms, call: Call, keyId: string): Promise<Key> {
  return changeKey(kms, call, keyId, assertPendingDeletion, ({ id }) => kms.store.deletions.cancel(id));
}

function assertPendingDeletion(key: Key): void {
  if (key.state !== 'pending-deletion')
    throw new KmsError('INVALID_STATE', `${key.arn} is not pending deletion.`);
}

export interface DestructionHooks {
  /** Does the first step, after which nothing can keep the key from being destroyed. */
  readonly beginning: DoRecorded;
  readonly destroying: DoRecorded;
  /** It will be tried again. */
  readonly onFailed: (keyId: string, error: unknown) => void;
}

/**
 * Destroys the keys that are due, in two steps: the first cannot be undone, and the second follows when no work with
 * the key can be in flight any more. Any instance may do either; what a crash interrupts is done again.
 *
 * @param drainMs how long an instance may go on working with a key that has been taken away
 * @throws KmsError where a key could not be destroyed
 */
export async function destroyDueKeys(
  kms: Kms,
  drainMs: number,
  { beginning, destroying, onFailed }: DestructionHooks,
): Promise<void> {
  const { deletions } = kms.store;
  for (const id of await deletions.due(Date.now())) {
    await beginning(id, () => deletions.begin(id, Date.now(), drainMs));
  }
  const destroyOne = async (id: string) => {
    await destroying(id, (record) => destroy(kms, id, record));
  };
  await each(await deletions.begun(), destroyOne, onFailed);
}

/** @returns false where another instance was faster */
async function destroy(kms: Kms, id: string, record: () => Promise<void>): Promise<boolean> {
  const versions = await kms.store.deletions.objects(id);
  let buried = false;
  // A turn for each version: a key may have so many that the token is long at work, and others want to make keys.
  for (const [index, objects] of versions.entries()) {
    const isLast = index === versions.length - 1;
    buried = await kms.store.exclusively('token-objects', async () => {
      if (!(await destroyVersion(kms, id, objects)) || !isLast) return false;
      // Before the store forgets that it was to be destroyed: a crash in between has it recorded once more.
      await record();
      return kms.store.deletions.bury(id);
    });
  }
  kms.keys.forget();
  return buried;
}

/** @returns false where another instance has destroyed the key */
async function destroyVersion(
  { store, token }: Kms,
  id: string,
  objects: readonly string[],
): Promise<boolean> {
  if ((await store.deletions.objects(id)).length === 0) return false;
  await token.run('destroyObjects', { ids: objects });
  return true;
}
