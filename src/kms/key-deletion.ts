/** Scheduling the deletion of keys, and destroying those that are due. */
import { KmsError } from '../errors';
import { DAY_MS } from './duration';
import type { Key } from './key';
import { assertNotPendingDeletion } from './key-state';
import { changeKey } from './keys';
import type { Call, Kms } from './kms';

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
  const windowMs = windowInDays * DAY_MS;
  const at = Date.now() + windowMs;
  const key = await changeKey(kms, call, keyId, assertNotPendingDeletion, ({ id }) =>
    kms.store.deletions.schedule(id, { windowDays: windowInDays, windowMs, at }),
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

/** What became of keys whose deletion was due. */
export interface Destruction {
  readonly begun: readonly string[];
  readonly done: readonly string[];
}

/**
 * Destroys the keys that are due, in two steps: the first cannot be undone, and the second follows when no work with
 * the key can be in flight any more. Any instance may do either; what a crash interrupts is done again.
 *
 * @param drainMs how long an instance may go on working with a key that has been taken away
 * @throws KmsError where the token cannot be reached
 */
export async function destroyDueKeys(kms: Kms, drainMs: number): Promise<Destruction> {
  const { deletions } = kms.store;
  const begun: string[] = [];
  for (const id of await deletions.due(Date.now())) {
    if (await deletions.begin(id, Date.now())) begun.push(id);
  }
  const drained = Date.now() - drainMs;
  if ((await deletions.begun(drained)).length === 0) return { begun, done: [] };
  const done = await kms.store.exclusively('token-objects', async () => {
    const doomed = await deletions.begun(drained);
    for (const { id, objects } of doomed) {
      await kms.token.run('destroyObjects', { ids: objects });
      await deletions.bury(id);
    }
    return doomed.map(({ id }) => id);
  });
  kms.keys.forget();
  return { begun, done };
}
