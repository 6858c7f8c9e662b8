/** Data keys: random bytes that the token makes, and their ciphertext. */
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import { dataHeader, encodeCiphertext } from './ciphertext';
import { encryptingVersion, type VersionChoice } from './encrypting-version';
import type { Key, KeyVersion } from './key';
import type { Call, Kms } from './kms';
import { cryptographic, stopDryRun, usableKey } from './usable-key';

export interface DataKeyRequest {
  readonly keyId: string;
  /** Length of the data key, 1 to 1024. */
  readonly bytes: number;
  readonly authenticated: AuthenticatedData;
  /** The version that encrypts it; the current one where absent. */
  readonly under?: VersionChoice;
  readonly dryRun?: boolean;
}

export interface WrappedDataKey {
  readonly key: Key;
  /** The version that the ciphertext is under. */
  readonly version: KeyVersion;
  /** 12 bytes, which are in the ciphertext, too. */
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
}

export interface DataKey extends WrappedDataKey {
  /** The caller zeroes it. */
  readonly plaintext: Buffer;
}

export async function generateDataKey(kms: Kms, call: Call, request: DataKeyRequest): Promise<DataKey> {
  const { plaintext, ...wrapped } = await generate(kms, call, request, true);
  if (!plaintext) throw new Error('the token worker gave no plaintext');
  return { ...wrapped, plaintext };
}

/** The bytes never leave the token worker. */
export async function generateDataKeyWithoutPlaintext(
  kms: Kms,
  call: Call,
  request: DataKeyRequest,
): Promise<WrappedDataKey> {
  return generate(kms, call, request, false);
}

async function generate(
  kms: Kms,
  call: Call,
  { keyId, bytes, authenticated, under, dryRun }: DataKeyRequest,
  withPlaintext: boolean,
): Promise<WrappedDataKey & { plaintext?: Buffer }> {
  const usable = await usableKey(kms, call, keyId, cryptographic(authenticated));
  const aadAfterHeader = encodeAuthenticatedData(authenticated);
  stopDryRun(dryRun);
  const { key, version, mayRepeat } = await encryptingVersion(kms, usable, under);
  call.details = { keyVersion: version.number };
  const aad = Buffer.concat([dataHeader(key.id, version.number), aadAfterHeader]);
  const job = { object: version.encryptObject, aad, bytes, withPlaintext };
  const { iv, sealed, plaintext } = await kms.token.run('generateDataKey', job, call, mayRepeat);
  kms.usage.note(key, call);
  const ciphertext = encodeCiphertext({ kind: 'data', keyId: key.id, version: version.number, iv, sealed });
  return { key, version, iv, ciphertext, ...(plaintext && { plaintext }) };
}
