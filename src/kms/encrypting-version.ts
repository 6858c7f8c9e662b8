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

/** One rotation is enough, unless other requests use up the new version's calls before this one has its own. */
const MAX_ROTATIONS = 3;

/**
 * The current version of a key, to be used for one AES-GCM call. A version that has none left is rotated first.
 *
 * @throws KmsError THROTTLED, DISABLED, INVALID_STATE, and what the token says
 */
export async function encryptingVersion(kms: Kms, wanted: Key): Promise<EncryptingVersion> {
  let key = wanted;
  for (let rotations = 0; ; rotations++) {
    const { id, current } = key;
    const name = { keyId: id, number: current.number };
    if (await kms.gcmCalls.take(name)) {
      return { key, version: current, mayRepeat: () => kms.gcmCalls.takeReserved(name) };
    }
    if (rotations === MAX_ROTATIONS) {
      throw new KmsError('THROTTLED', `Other requests use up the encryptions of ${key.arn}: try again.`);
    }
    await rotateExhausted(kms, key);
    key = await kms.keys.resolve(id);
    assertEnabled(key);
  }
}
