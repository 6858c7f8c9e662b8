/** Encrypting and decrypting small data under a symmetric key. */
import { KmsError } from '../errors';
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import {
  type Ciphertext,
  dataHeader,
  decodeCiphertext,
  encodeCiphertext,
  headerOf,
  invalidCiphertext,
} from './ciphertext';
import type { Key, KeyVersion } from './key';
import { assertEnabled } from './key-state';
import { assertAlgorithm, type EncryptionAlgorithm } from './key-usage';
import { describeKey } from './keys';
import type { Call, Kms } from './kms';
import { assertMayLeave, assertUnwraps, openPrivateKey } from './private-key';
import { stopDryRun, usableKey } from './usable-key';

export interface EncryptRequest {
  readonly keyId: string;
  /** At least one byte. */
  readonly plaintext: Buffer;
  readonly authenticated: AuthenticatedData;
  /** SYMMETRIC_DEFAULT where absent. */
  readonly algorithm?: EncryptionAlgorithm;
  readonly dryRun: boolean;
}

export async function encrypt(
  kms: Kms,
  call: Call,
  { keyId, plaintext, authenticated, algorithm, dryRun }: EncryptRequest,
): Promise<{ key: Key; ciphertext: Buffer }> {
  const key = await usableKey(kms, call, keyId);
  assertAlgorithm(algorithm);
  const { number: version, encryptObject } = key.current;
  const aad = Buffer.concat([dataHeader(key.id, version), encodeAuthenticatedData(authenticated)]);
  stopDryRun(dryRun);
  const output = await kms.token.run('encrypt', { object: encryptObject, aad, plaintext }, call);
  return { key, ciphertext: encodeCiphertext({ kind: 'data', keyId: key.id, version, ...output }) };
}

export interface DecryptRequest {
  /** Where given, the ciphertext must be this key's. */
  readonly keyId?: string;
  readonly ciphertext: Buffer;
  readonly authenticated: AuthenticatedData;
  /** SYMMETRIC_DEFAULT where absent. */
  readonly algorithm?: EncryptionAlgorithm;
  readonly dryRun: boolean;
}

export interface Decrypted {
  readonly key: Key;
  /** The version that the ciphertext was made under. */
  readonly version: KeyVersion;
  /** The caller zeroes it. */
  readonly plaintext: Buffer;
}

/**
 * Opens a ciphertext, of data or of a private key.
 *
 * @throws KmsError INVALID_CIPHERTEXT, INCORRECT_KEY, CIPHERTEXT_KEY_OUT_OF_REACH, DISABLED, NOT_FOUND,
 *   INVALID_KEY_USAGE, and UNSUPPORTED_OPERATION for a private key that may not leave
 */
export async function decrypt(kms: Kms, call: Call, request: DecryptRequest): Promise<Decrypted> {
  const ciphertext = decodeCiphertext(request.ciphertext);
  const key = await keyOfCiphertext(kms, call, ciphertext, request.keyId);
  assertAlgorithm(request.algorithm);
  const version = key.versions.get(ciphertext.version);
  if (!version) throw invalidCiphertext();
  if (ciphertext.kind === 'private-key') {
    assertMayLeave(kms, ciphertext);
    assertUnwraps(kms, ciphertext);
  }
  const aad = Buffer.concat([headerOf(ciphertext), encodeAuthenticatedData(request.authenticated)]);
  stopDryRun(request.dryRun);
  return { key, version, plaintext: await open(kms, call, ciphertext, version, aad) };
}

async function open(
  kms: Kms,
  call: Call,
  ciphertext: Ciphertext,
  version: KeyVersion,
  aad: Buffer,
): Promise<Buffer> {
  if (ciphertext.kind === 'private-key') return openPrivateKey(kms, call, ciphertext, version, aad);
  const { iv, sealed } = ciphertext;
  const { plaintext } = await kms.token.run(
    'decrypt',
    { object: version.encryptObject, aad, iv, sealed },
    call,
  );
  return plaintext;
}

/** The key that a ciphertext names, if the caller may use it and means it. */
async function keyOfCiphertext(
  kms: Kms,
  call: Call,
  { keyId }: Ciphertext,
  expected: string | undefined,
): Promise<Key> {
  const meant = expected === undefined ? undefined : await describeKey(kms, call, expected);
  if (meant && meant.id !== keyId) {
    throw new KmsError(
      'INCORRECT_KEY',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  const key = meant ?? (await kms.keys.findById(keyId));
  if (!key) throw outOfReach();
  call.keyId = key.id;
  assertEnabled(key);
  return key;
}

/** The same for a key that is unknown, deleted or not the caller's: none of the three is told from the others. */
function outOfReach(): KmsError {
  return new KmsError(
    'CIPHERTEXT_KEY_OUT_OF_REACH',
    'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are ' +
      'not allowed to access.',
  );
}
