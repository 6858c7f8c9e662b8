/** Data keys: random bytes that the token makes, and their ciphertext. */
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import { dataHeader, encodeCiphertext } from './ciphertext';
import type { Key } from './key';
import type { Call, Kms } from './kms';
import { stopDryRun, usableKey } from './usable-key';

export interface DataKeyRequest {
  readonly keyId: string;
  /** Length of the data key, 1 to 1024. */
  readonly bytes: number;
  readonly authenticated: AuthenticatedData;
  readonly dryRun: boolean;
}

export interface WrappedDataKey {
  readonly key: Key;
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
  { keyId, bytes, authenticated, dryRun }: DataKeyRequest,
  withPlaintext: boolean,
): Promise<WrappedDataKey & { plaintext?: Buffer }> {
  const key = await usableKey(kms, call, keyId);
  const { number: version, encryptObject: object } = key.current;
  const aad = Buffer.concat([dataHeader(key.id, version), encodeAuthenticatedData(authenticated)]);
  stopDryRun(dryRun);
  const { iv, sealed, plaintext } = await kms.token.run(
    'generateDataKey',
    { object, aad, bytes, withPlaintext },
    call,
  );
  const ciphertext = encodeCiphertext({ kind: 'data', keyId: key.id, version, iv, sealed });
  return { key, ciphertext, ...(plaintext && { plaintext }) };
}
