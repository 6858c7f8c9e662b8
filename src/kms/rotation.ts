/** Rotating keys: a new version on the token, which new ciphertexts use; old ones still open. */
import { KmsError } from '../errors';
import type { FinishedRotation } from '../store/key-versions';
import { DAY_MS, type KeyRow } from '../store/keys';
import { each } from './each';
import type { Key, KeyVersion } from './key';
import { assertEnabled } from './key-state';
import { makeVersion } from './key-versions';
import { changeKey, describeKeyWithoutAlias } from './keys';
import type { Call, Kms } from './kms';
import { invalidMarker, type Page, pageOf } from './page';

/** AWS's quota of on-demand rotations for the life of a key. */
const MAX_ON_DEMAND = 25;
/** So close to an automatic rotation there is none on demand. */
const TOO_CLOSE_MS = 20 * 60_000;

/** @throws KmsError NOT_FOUND, INVALID_ARN, DISABLED, INVALID_STATE */
export async function enableKeyRotation(
  kms: Kms,
  call: Call,
  { keyId, periodInDays }: { keyId: string; periodInDays: number },
): Promise<void> {
  const nextAt = Date.now() + periodInDays * DAY_MS;
  await changeKey(
    kms,
    call,
    keyId,
    assertEnabled,
    ({ id }) => kms.store.keys.setRotation(id, { days: periodInDays, nextAt }),
    { facts: { 'kms:RotationPeriodInDays': String(periodInDays) } },
  );
}

/** @throws KmsError NOT_FOUND, INVALID_ARN, DISABLED, INVALID_STATE */
export async function disableKeyRotation(kms: Kms, call: Call, keyId: string): Promise<void> {
  await changeKey(kms, call, keyId, assertEnabled, ({ id }) => kms.store.keys.setRotation(id, undefined));
}

/**
 * Rotates a key now.
 *
 * @throws KmsError NOT_FOUND, INVALID_ARN, DISABLED, INVALID_STATE, LIMIT_EXCEEDED, CONFLICT
 */
export async function rotateKeyOnDemand(kms: Kms, call: Call, keyId: string): Promise<Key> {
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  assertMayRotateOnDemand(key);
  const rotated = await rotate(kms, call, key.id, 'on_demand', (row) => {
    const onDemand = row.versions.filter(({ rotation }) => rotation === 'on_demand');
    return row.state === 'enabled' && onDemand.length < MAX_ON_DEMAND;
  });
  if (rotated) return key;
  assertMayRotateOnDemand(await kms.keys.resolve(key.id));
  throw new KmsError('CONFLICT', `${key.arn} is being rotated by another request: try again.`);
}

function assertMayRotateOnDemand(key: Key): void {
  assertEnabled(key);
  const onDemand = [...key.versions.values()].filter(({ rotation }) => rotation?.cause === 'on_demand');
  if (onDemand.length >= MAX_ON_DEMAND) {
    throw new KmsError(
      'LIMIT_EXCEEDED',
      `${key.arn} has been rotated on demand ${MAX_ON_DEMAND} times, which is as often as a key may be.`,
    );
  }
  if (key.rotation && key.rotation.nextAt.getTime() <= Date.now() + TOO_CLOSE_MS) {
    throw new KmsError('CONFLICT', `${key.arn} is about to be rotated automatically.`);
  }
}

/**
 * The versions of a key that rotations made, oldest first.
 *
 * @param all the key's first version, too
 * @throws KmsError NOT_FOUND, INVALID_ARN, INVALID_MARKER
 */
export async function listKeyRotations(
  kms: Kms,
  call: Call,
  { keyId, all, limit, marker = '0' }: { keyId: string; all: boolean; limit: number; marker?: string },
): Promise<Page<KeyVersion> & { readonly key: Key }> {
  if (!/^\d{1,10}$/.test(marker)) throw invalidMarker();
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  const found = [...key.versions.values()].filter(
    ({ number, rotation }) => number > Number(marker) && (all || rotation !== undefined),
  );
  return { key, ...pageOf(found.slice(0, limit + 1), limit, ({ number }) => String(number)) };
}

/**
 * Rotates every key that is due, once, whatever the number of instances and however long none was running.
 *
 * @param onFailed told of a key that could not be rotated; it will be tried again
 * @throws KmsError where there was one
 */
export async function rotateDueKeys(
  kms: Kms,
  onFailed: (keyId: string, error: unknown) => void,
): Promise<void> {
  const isDue = ({ state, next_rotation_at }: KeyRow) =>
    state === 'enabled' && next_rotation_at !== null && next_rotation_at <= Date.now();
  const rotateOne = async (id: string) => {
    await rotate(kms, undefined, id, 'automatic', isDue);
  };
  await each(await kms.store.keys.dueForRotation(Date.now()), rotateOne, onFailed);
}

/** Mends schedules that a clock which was ahead has put off for longer than their periods. */
export const bringBackRotations = ({ store }: Kms): Promise<void> =>
  store.keys.bringBackRotations(Date.now());

/** Rotates a key whose current version has no AES-GCM call left, unless that has been done. */
export async function rotateExhausted(kms: Kms, { id, current }: Key): Promise<void> {
  const isDue = (row: KeyRow) => row.state === 'enabled' && row.current_version === current.number;
  // The requests that meet it at once need one rotation.
  await kms.exhausted(id, () => rotate(kms, undefined, id, 'exhausted', isDue));
}

/**
 * @param isDue asked of the key as it is once nobody else can rotate it
 * @returns whether the key was rotated
 */
function rotate(
  kms: Kms,
  call: Call | undefined,
  keyId: string,
  cause: FinishedRotation['cause'],
  isDue: (row: KeyRow) => boolean,
): Promise<boolean> {
  return kms.rotating(keyId, cause, () => makeNext(kms, call, keyId, cause, isDue));
}

async function makeNext(...[kms, call, keyId, cause, isDue]: Parameters<typeof rotate>): Promise<boolean> {
  let from = 0;
  let nextAt: number | undefined;
  const begin: Parameters<typeof makeVersion>[2] = async (objects) => {
    const row = await kms.store.keys.find(keyId);
    if (!row || !isDue(row)) return undefined;
    from = row.current_version;
    const days = row.rotation_period_days;
    if (cause === 'automatic' && days !== null) nextAt = Date.now() + days * DAY_MS;
    return { keyId, number: await kms.store.versions.beginNext(keyId, objects) };
  };
  const made = await makeVersion(kms, call, begin, () => ({
    from,
    cause,
    at: Date.now(),
    ...(nextAt !== undefined && { nextAt }),
  }));
  kms.keys.forget();
  return made !== undefined;
}
