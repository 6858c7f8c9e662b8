import { KmsError } from '../errors';
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import { type About, authorizeKey } from './authorization';
import { type Ciphertext, decodeCiphertext, headerOf, invalidCiphertext } from './ciphertext';
import { initialVersion } from './encrypting-version';
import type { Key, KeyId, KeyVersion } from './key';
import { assertEnabled } from './key-state';
import { assertAlgorithm, type EncryptionAlgorithm } from './key-usage';
import { describeKey } from './keys';
import type { Call, Kms } from './kms';

/** A ciphertext as a caller gives it. */
export interface CiphertextReference {
  readonly ciphertext: Buffer;
  /** Where given, the ciphertext must be this key's. */
  readonly keyId?: string;
  readonly authenticated: AuthenticatedData;
  /** Where given, the ciphertext's must be the same. */
  readonly iv?: Buffer;
  /** Where given, the ciphertext must be this version's. */
  readonly under?: 'initial';
  /** SYMMETRIC_DEFAULT where absent. */
  readonly algorithm?: EncryptionAlgorithm;
}

/** A ciphertext whose key is here and may be used. Whether it opens is for the token to say. */
export interface FoundCiphertext {
  readonly ciphertext: Ciphertext;
  readonly key: Key;
  /** The version that it was made under. */
  readonly version: KeyVersion;
  /** All that AES-GCM authenticates beside the ciphertext. */
  readonly aad: Buffer;
}

/**
 * @throws KmsError INVALID_CIPHERTEXT, INCORRECT_KEY, ACCESS_DENIED, CIPHERTEXT_KEY_OUT_OF_REACH, DISABLED, INVALID_STATE, NOT_FOUND,
 *   INVALID_KEY_USAGE
 */
export async function findCiphertext(
  kms: Kms,
  call: Call,
  { ciphertext: blob, keyId, authenticated, iv, under, algorithm }: CiphertextReference,
  about: About,
): Promise<FoundCiphertext> {
  // Also of what turns out to be no ciphertext.
  if (about.encryptionContext) call.encryptionContext = about.encryptionContext;
  const ciphertext = decodeCiphertext(blob);
  if (ciphertext.kind === 'private-key') call.wrapping = ciphertext.wrapping;
  const key = await keyOfCiphertext(kms, call, ciphertext, keyId, about);
  assertAlgorithm(algorithm);
  const version = await versionOfCiphertext(kms, key, ciphertext);
  if (iv && !iv.equals(ciphertext.iv)) throw invalidCiphertext('Iv is not the one in the ciphertext');
  if (under === 'initial' && version.number !== initialVersion(key).number) {
    throw invalidCiphertext("the ciphertext is not the key's initial version's: AdvanceDecrypt opens it");
  }
  const aad = Buffer.concat([headerOf(ciphertext), encodeAuthenticatedData(authenticated)]);
  return { ciphertext, key, version, aad };
}

/** The key that a ciphertext names, if the caller may use it and means it. */
async function keyOfCiphertext(
  kms: Kms,
  call: Call,
  { keyId }: Ciphertext,
  expected: string | undefined,
  about: About,
): Promise<Key> {
  const meant = expected === undefined ? undefined : await describeKey(kms, call, expected, about);
  if (meant && meant.id !== keyId) {
    throw new KmsError(
      'INCORRECT_KEY',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  const key = meant ?? (await keyInReach(kms, call, keyId, about));
  assertEnabled(key);
  return key;
}

async function keyInReach(kms: Kms, call: Call, keyId: KeyId, about: About): Promise<Key> {
  const key = await kms.keys.findById(keyId);
  if (!key) throw outOfReach();
  call.keyId = key.id;
  try {
    await authorizeKey(kms, call, key, about);
  } catch (error) {
    throw error instanceof KmsError && error.code === 'ACCESS_DENIED' ? outOfReach() : error;
  }
  return key;
}

async function versionOfCiphertext(kms: Kms, key: Key, { version: number }: Ciphertext): Promise<KeyVersion> {
  // Another instance may have rotated the key a moment ago.
  const version = key.versions.get(number) ?? (await kms.keys.findAgain(key.id))?.versions.get(number);
  if (!version) throw invalidCiphertext();
  return version;
}

/** The same for a key that is unknown, deleted or not the caller's: none of the three is told from the others. */
function outOfReach(): KmsError {
  return new KmsError(
    'CIPHERTEXT_KEY_OUT_OF_REACH',
    'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are ' +
      'not allowed to access.',
  );
}
