/** What a store that was restored from a backup has missed: found by holding it against its token. */
import type { TokenObject } from '../hsm/jobs';
import type { FinishedRotation, VersionName } from '../store/key-versions';
import { DAY_MS } from '../store/keys';
import type { Adjustments, StoreContents } from '../store/recovery';
import type { KeyState } from '../store/schema';
import { labelPrefix } from './object-label';

/** A version of a key that only the token has. */
export interface TokenVersion {
  readonly keyId: string;
  /** Absent where the objects' labels are none that p11kms gives. */
  readonly version?: number;
  /** The key's state in the store; absent where the store does not know the key. */
  readonly keyState?: KeyState;
  /** CKA_IDs. */
  readonly objects: readonly string[];
}

/** A version of a key that only the store has. */
export interface StoreVersion {
  readonly keyId: string;
  readonly version: number;
  readonly keyState: KeyState;
  readonly createdAt: Date;
  /** CKA_IDs of the objects that are not on the token. */
  readonly missing: readonly string[];
}

export interface Differences {
  readonly onlyOnToken: readonly TokenVersion[];
  readonly onlyInStore: readonly StoreVersion[];
}

type Version = StoreContents['versions'][number];

const objectsOf = ({ encrypt_object, wrap_object }: Version) => [encrypt_object, wrap_object];
const nameOf = ({ key_id, number }: Version): VersionName => ({ keyId: key_id, number });

/**
 * Holds a store against the objects that its token has.
 *
 * Versions that were being made or removed, and keys that were being destroyed, may be there or not.
 */
export function differences(contents: StoreContents, objects: readonly TokenObject[]): Differences {
  const { store, keys, versions } = contents;
  const stateOf = new Map(keys.map(({ id, state }) => [id, state]));
  const onToken = new Set(objects.map(({ id }) => id));
  const known = new Set([store.service_key_object, ...versions.flatMap(objectsOf)]);
  const onlyInStore = versions
    .map((version) => ({ version, missing: objectsOf(version).filter((id) => !onToken.has(id)) }))
    .filter(({ version, missing }) => version.state === 'active' && missing.length > 0)
    .map(({ version, missing }) => ({
      keyId: version.key_id,
      version: version.number,
      keyState: stateOf.get(version.key_id) ?? 'deleted',
      createdAt: new Date(version.created_at),
      missing,
    }))
    .filter(({ keyState }) => keyState !== 'deleting');
  const unknown = objects.filter(({ id }) => !known.has(id));
  return { onlyOnToken: tokenVersions(unknown, labelPrefix(store.id), stateOf), onlyInStore };
}

function tokenVersions(
  objects: readonly TokenObject[],
  prefix: string,
  stateOf: ReadonlyMap<string, KeyState>,
): TokenVersion[] {
  const found = new Map<string, TokenVersion>();
  for (const { id, label } of objects) {
    const [, keyId = label, number] =
      /^([^/]+)\/(\d+)\/(?:encrypt|wrap)$/.exec(label.slice(prefix.length)) ?? [];
    const keyState = stateOf.get(keyId);
    const name = `${keyId}/${number}`;
    found.set(name, {
      keyId,
      ...(number !== undefined && { version: Number(number) }),
      ...(keyState && { keyState }),
      objects: [...(found.get(name)?.objects ?? []), id],
    });
  }
  return [...found.values()].sort(
    (a, b) => a.keyId.localeCompare(b.keyId) || (a.version ?? 0) - (b.version ?? 0),
  );
}

/**
 * More AES-GCM calls than services and token make under one key in a second, on the average of all the time since the
 * backup: at this rate a key has used up 2^32 calls in two and a half days. So the calls that the backup does not know of
 * are fewer than this times the seconds since the last heartbeat in it, which is no later than the backup, and a counter
 * that moves forward by as much is not too low.
 */
const CALLS_PER_SECOND = 20_000;

/**
 * What has to change in a restored store because time has passed that it has not seen:
 *
 * - AES-GCM calls were made. Counters move forward by more than can have been; by all that is left where the time of
 *   the backup is not known, or lies ahead, so that a clock is wrong. A key whose counter is at the bound loses
 *   nothing: it is rotated at its next encryption.
 * - A key pending deletion may have been saved: its window begins again, in full. One that was being destroyed was
 *   beyond saving then, and still is.
 * - A version whose making was under way may have been finished, and used. The service would destroy its objects as
 *   left over from a crash. So it is finished where it is on the token, and else forgotten. One that was being removed
 *   can never have been used, and stays for the service to remove.
 *
 * @param onToken CKA_IDs of the objects that the token has
 * @param bound AES-GCM calls that one version may make
 */
export function adjustmentsOf(
  { store, keys, versions }: StoreContents,
  onToken: ReadonlySet<string>,
  { now, bound }: { now: number; bound: number },
): Adjustments {
  const keyOf = new Map(keys.map((key) => [key.id, key]));
  const unfinished = versions.filter(
    ({ state, key_id }) => state === 'creating' && keyOf.get(key_id)?.state !== 'deleting',
  );
  const isOnToken = (version: Version) => objectsOf(version).every((id) => onToken.has(id));
  const currentOf = ({ key_id }: Version) =>
    versions.find(({ key_id: id, number }) => id === key_id && number === keyOf.get(key_id)?.current_version);
  return {
    now,
    gcmCalls: { skipped: callsSince(store.heartbeat_at, now, bound), bound },
    finish: unfinished.filter(isOnToken).map((version) => {
      const rotation = rotationOf(version, keyOf.get(version.key_id), currentOf(version), bound);
      return { version: nameOf(version), ...(rotation && { rotation }) };
    }),
    forget: unfinished.filter((version) => !isOnToken(version)).map(nameOf),
    deletions: keys
      .filter(({ state }) => state === 'pending_deletion')
      .map(({ id, deletion_window_days }) => {
        const windowMs = (deletion_window_days ?? LONGEST_WINDOW_DAYS) * DAY_MS;
        return { keyId: id, at: now + windowMs, heartbeat: store.heartbeat_ms + windowMs };
      }),
  };
}

const LONGEST_WINDOW_DAYS = 30;

function callsSince(heartbeatAt: number | null, now: number, bound: number): number {
  if (heartbeatAt === null || heartbeatAt > now) return bound;
  return Math.min(bound, Math.ceil((now - heartbeatAt) / 1000) * CALLS_PER_SECOND);
}

/** What a version in the making was made for. A key's first is no rotation. */
function rotationOf(
  { created_at: at }: Version,
  key: StoreContents['keys'][number] | undefined,
  current: Version | undefined,
  bound: number,
): FinishedRotation | undefined {
  if (!key || key.state === 'creating') return undefined;
  const { next_rotation_at: due, rotation_period_days: days } = key;
  if (due !== null && due <= at && days !== null)
    return { from: key.current_version, cause: 'automatic', at, nextAt: at + days * DAY_MS };
  return {
    from: key.current_version,
    cause: (current?.gcm_calls ?? 0) >= bound ? 'exhausted' : 'on_demand',
    at,
  };
}

/** Keys that clients can see, and of these, those that will be rotated at their next encryption. */
export function keysAfter(
  { keys, versions }: StoreContents,
  { gcmCalls: { skipped, bound }, finish }: Adjustments,
): { readonly total: number; readonly toRotate: number } {
  const calls = new Map(versions.map(({ key_id, number, gcm_calls }) => [`${key_id}/${number}`, gcm_calls]));
  const current = new Map(finish.map(({ version: { keyId, number } }) => [keyId, number]));
  const usable = keys.filter(
    ({ id, state }) => !['creating', 'deleting', 'deleted'].includes(state) || current.has(id),
  );
  const toRotate = usable.filter(({ id, current_version }) => {
    const made = calls.get(`${id}/${current.get(id) ?? current_version}`) ?? 0;
    return made + skipped >= bound;
  });
  return { total: usable.length, toRotate: toRotate.length };
}
