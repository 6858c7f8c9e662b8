/** Encrypting and decrypting small data under a symmetric key. */
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import { dataHeader, encodeCiphertext } from './ciphertext';
import { encryptingVersion, type VersionChoice } from './encrypting-version';
import { type CiphertextReference, type FoundCiphertext, findCiphertext } from './found-ciphertext';
import type { Key, KeyVersion } from './key';
import { assertAlgorithm, type EncryptionAlgorithm } from './key-usage';
import type { Call, Kms } from './kms';
import { assertMayLeave, assertUnwraps, openPrivateKey } from './private-key';
import { cryptographic, dryRunOk, stopDryRun, usableKey } from './usable-key';

export interface EncryptRequest {
  readonly keyId: string;
  /** At least one byte. */
  readonly plaintext: Buffer;
  readonly authenticated: AuthenticatedData;
  /** SYMMETRIC_DEFAULT where absent. */
  readonly algorithm?: EncryptionAlgorithm;
  /** The version that encrypts; the current one where absent. */
  readonly under?: VersionChoice;
  readonly dryRun?: boolean;
}

export interface Encrypted {
  readonly key: Key;
  /** The version that encrypted it. */
  readonly version: KeyVersion;
  /** 12 bytes, which are in the ciphertext, too. */
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
}

export async function encrypt(
  kms: Kms,
  call: Call,
  { keyId, plaintext, authenticated, algorithm, under, dryRun }: EncryptRequest,
): Promise<Encrypted> {
  const usable = await usableKey(kms, call, keyId, cryptographic(authenticated));
  assertAlgorithm(algorithm);
  const aadAfterHeader = encodeAuthenticatedData(authenticated);
  stopDryRun(dryRun);
  const { key, version, mayRepeat } = await encryptingVersion(kms, usable, under);
  call.details = { keyVersion: version.number };
  const aad = Buffer.concat([dataHeader(key.id, version.number), aadAfterHeader]);
  const job = { object: version.encryptObject, aad, plaintext };
  const output = await kms.token.run('encrypt', job, call, mayRepeat);
  kms.usage.note(key, call);
  const ciphertext = encodeCiphertext({ kind: 'data', keyId: key.id, version: version.number, ...output });
  return { key, version, iv: output.iv, ciphertext };
}

export interface DecryptRequest extends CiphertextReference {
  readonly dryRun?: boolean;
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
 * @throws KmsError what `findCiphertext` throws, and UNSUPPORTED_OPERATION for a private key that may not leave
 */
export async function decrypt(kms: Kms, call: Call, request: DecryptRequest): Promise<Decrypted> {
  const found = await findCiphertext(kms, call, request, cryptographic(request.authenticated));
  const { ciphertext, key, version } = found;
  if (ciphertext.kind === 'private-key') {
    assertMayLeave(kms, ciphertext);
    assertUnwraps(kms, ciphertext);
  }
  stopDryRun(request.dryRun);
  call.details = { keyVersion: version.number };
  const plaintext = await open(kms, call, found);
  kms.usage.note(key, call);
  return { key, version, plaintext };
}

async function open(kms: Kms, call: Call, { ciphertext, version, aad }: FoundCiphertext): Promise<Buffer> {
  if (ciphertext.kind === 'private-key') return openPrivateKey(kms, call, ciphertext, version, aad);
  const { iv, sealed } = ciphertext;
  const job = { object: version.encryptObject, aad, iv, sealed };
  return (await kms.token.run('decrypt', job, call)).plaintext;
}

/** Whether the key could be used to decrypt; never resolves, because that is all that a dry run tells. */
export async function dryRunWithoutCiphertext(
  kms: Kms,
  call: Call,
  { keyId, authenticated }: { readonly keyId: string; readonly authenticated: AuthenticatedData },
): Promise<never> {
  await usableKey(kms, call, keyId, cryptographic(authenticated));
  throw dryRunOk();
}
