/** Making the versions of keys on the token, and cleaning up after those that were never finished. */
import { randomBytes } from 'node:crypto';
import { KmsError } from '../errors';
import type { FinishedRotation, UnfinishedVersion, VersionName, VersionObjects } from '../store/key-versions';
import { each } from './each';
import type { Call, Kms } from './kms';
import { labelPrefix } from './object-label';
import type { RecordedWork } from './recorded-work';

type TokenAndStore = Pick<Kms, 'store' | 'token'>;

/** CKA_ID is random and never derived: some tokens replace an object whose CKA_ID is taken. */
const newObjectId = (): string => randomBytes(16).toString('hex');

/**
 * Makes a version: first its row, then its objects, then the row becomes active. A crash in between leaves a row by
 * whose ids `removeUnfinished` cleans up. One at a time in all instances: tokens lose sight of objects that two
 * processes make at once, and so whoever has the lock knows that nobody is making what is unfinished.
 *
 * @param begin records the version and returns its name, or nothing where it is not wanted any more
 * @returns the version's name, if it was made
 */
export async function makeVersion(
  kms: Kms,
  call: Call | undefined,
  begin: (objects: VersionObjects) => Promise<VersionName | undefined>,
  finishing?: () => FinishedRotation,
): Promise<VersionName | undefined> {
  const objects = { encryptObject: newObjectId(), wrapObject: newObjectId() };
  return kms.store.exclusively('token-objects', async () => {
    if (call?.isGone?.()) throw new KmsError('THROTTLED', 'The client went away before it was its turn.');
    const version = await begin(objects);
    if (!version) return undefined;
    const unfinished = { ...version, objects: [objects.encryptObject, objects.wrapObject] };
    try {
      await kms.token.run('createKeyObjects', tokenObjects(kms, version, objects), call);
    } catch (error) {
      await tryToRemove(kms, unfinished, error);
      throw error;
    }
    if (await kms.store.versions.finish(version, finishing?.())) return version;
    // Somebody took it for unfinished: nobody may be told of a key whose objects are going.
    await tryToRemove(kms, unfinished, undefined);
    throw new KmsError('KEY_UNAVAILABLE', 'The key could not be made: try again.');
  });
}

function tokenObjects(kms: Kms, { keyId, number }: VersionName, objects: VersionObjects) {
  const label = (role: string) => `${labelPrefix(kms.storeId)}${keyId}/${number}/${role}`;
  return {
    encrypt: { id: objects.encryptObject, label: label('encrypt') },
    wrap: { id: objects.wrapObject, label: label('wrap') },
  };
}

/** For whoever made the version, and has not finished it. What cannot be removed now is left to `removeUnfinished`. */
async function tryToRemove(kms: Kms, version: UnfinishedVersion, error: unknown): Promise<void> {
  // The token may still be making the objects: too early to see them gone.
  if (error instanceof KmsError && error.code === 'TOKEN_TIMEOUT') return;
  try {
    if (await remove(kms, version)) return;
    // Somebody has removed it already, perhaps before its objects were made. What a row knows is never touched here.
    if (await kms.store.versions.knowsAny(version.objects)) return;
    await kms.token.run('destroyObjects', { ids: version.objects });
  } catch {
    // The error that brought us here is the one to report.
  }
}

/** Claimed first: from then on nobody can finish the version, so that no key is left without its objects. */
async function remove(
  { store, token }: TokenAndStore,
  version: UnfinishedVersion,
  record?: () => Promise<void>,
): Promise<boolean> {
  if (!(await store.versions.claimRemoval(version))) return false;
  await token.run('destroyObjects', { ids: version.objects });
  // A crash in between has it removed and recorded once more: better than not at all.
  await record?.();
  await store.versions.forget(version);
  return true;
}

/**
 * Cleans up after versions whose making was cut short.
 *
 * @param olderThanMs leaves those alone that the token may still be making for somebody who has given up waiting
 * @throws KmsError where one could not be removed
 */
export async function removeUnfinished(
  { store, token }: TokenAndStore,
  { removing, onFailed }: RemovalHooks,
  olderThanMs?: number,
): Promise<void> {
  // Asked without the lock first: there hardly ever are any.
  if ((await store.versions.unfinished(olderThanMs)).length === 0) return;
  await store.exclusively('token-objects', async () => {
    const removeOne = async (version: UnfinishedVersion) => {
      await removing(version, (record) => remove({ store, token }, version, record));
    };
    await each(await store.versions.unfinished(olderThanMs), removeOne, onFailed);
  });
}

export interface RemovalHooks {
  /** Does the removal of a version, and has it recorded. */
  readonly removing: (version: VersionName, work: RecordedWork) => Promise<boolean>;
  /** It will be tried again. */
  readonly onFailed: (version: VersionName, error: unknown) => void;
}
