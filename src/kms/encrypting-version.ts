import { KmsError } from '../errors';
import type { Key, KeyVersion } from './key';
import { assertEnabled } from './key-state';
import type { Kms } from './kms';
import { rotateExhausted } from './rotation';

/** A key, the version of it that a ciphertext is to be made under, and one AES-GCM call that is counted already. */
export interface EncryptingVersion {
  readonly key: Key;
  readonly version: KeyVersion;
  /** Counts the call once more, for a job that has to be done again: false where it must not be. */
  readonly mayRepeat: () => boolean;
}

/** `initial` is a key's first version, whatever rotations have made since: what Alibaba's plain operations use. */
export type VersionChoice = 'initial' | 'current';

/** The first version of a key. */
export function initialVersion({ arn, versions }: Key): KeyVersion {
  const initial = versions.get(Math.min(...versions.keys()));
  if (!initial) throw new Error(`${arn} has no versions`);
  return initial;
}

/** One rotation is enough, unless other requests use up the new version's calls before this one has its own. */
const MAX_ROTATIONS = 3;

/**
 * A version of a key, to be used for one AES-GCM call. A current version that has none left is rotated first; there is
 * no other initial version.
 *
 * @throws KmsError LIMIT_EXCEEDED for an initial version that has none left; THROTTLED, DISABLED, INVALID_STATE, and what
 *   the token says
 */
export async function encryptingVersion(
  kms: Kms,
  wanted: Key,
  choice: VersionChoice = 'current',
): Promise<EncryptingVersion> {
  let key = wanted;
  for (let rotations = 0; ; rotations++) {
    const { id } = key;
    const version = choice === 'initial' ? initialVersion(key) : key.current;
    const name = { keyId: id, number: version.number };
    if (await kms.gcmCalls.take(name)) {
      return { key, version, mayRepeat: () => kms.gcmCalls.takeReserved(name) };
    }
    if (choice === 'initial') throw initialUsedUp(key);
    if (rotations === MAX_ROTATIONS) {
      throw new KmsError('THROTTLED', `Other requests use up the encryptions of ${key.arn}: try again.`);
    }
    await rotateExhausted(kms, key);
    key = await kms.keys.resolve(id);
    assertEnabled(key);
  }
}

const initialUsedUp = ({ arn }: Key) =>
  new KmsError(
    'LIMIT_EXCEEDED',
    `The initial version of ${arn} has encrypted as often as is safe: use the operations that encrypt under its current version.`,
  );
