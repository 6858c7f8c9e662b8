/** Parameters that several requests have, and what may be in them. All of them throw ProtocolError InvalidParameter. */
import type { AuthenticatedData } from '../../kms/authenticated-data';
import type { DataKeyPairRequest } from '../../kms/data-key-pairs';
import type { KeyFormat } from '../../kms/key-format';
import { refusal } from './errors';

/** The one algorithm, which requests need not name. */
export const ALGORITHM = 'AES_GCM';
/** As in TrentService. */
const MAX_KEY_ID_LENGTH = 2048;
const MAX_AAD_BYTES = 8192;
/**
 * A request that decrypts is longer than the one that encrypted: by the blob's header, IV and tag, a KeyId of four bytes
 * a character, and Aad. What is encrypted must fit one.
 */
const MAX_PLAINTEXT_BYTES = 3 * 1024 * 1024 - 32 * 1024;
/** The most that the token is asked for at once: as in TrentService. */
const MAX_RANDOM_BYTES = 1024;

/** Alibaba's names, and ours. */
const SPECS: ReadonlyMap<string, DataKeyPairRequest['spec']> = new Map([
  ['RSA_2048', 'RSA_2048'],
  ['RSA_3072', 'RSA_3072'],
  ['RSA_4096', 'RSA_4096'],
  ['EC_P256', 'ECC_NIST_P256'],
  ['EC_P256K', 'ECC_SECG_P256K1'],
]);

export function keyIdOf(request: { readonly KeyId: string }): string {
  if (request.KeyId === '') throw invalid('KeyId is required');
  return storable(request.KeyId);
}

/** Undefined where it was not sent. */
export const optionalKeyIdOf = ({ KeyId }: { readonly KeyId: string }): string | undefined =>
  KeyId === '' ? undefined : storable(KeyId);

/** The store is asked for it: PostgreSQL fails where there is a NUL in a text. */
function storable(keyId: string): string {
  if (keyId.length > MAX_KEY_ID_LENGTH || keyId.includes('\0')) {
    throw invalid(`KeyId must have at most ${MAX_KEY_ID_LENGTH} characters, and no NUL`);
  }
  return keyId;
}

/** The operations without the parameter use AES_GCM. */
export function assertCipher(request: { readonly Algorithm: string; readonly PaddingMode?: string }): void {
  const { Algorithm, PaddingMode = '' } = request;
  if (Algorithm !== '' && Algorithm !== ALGORITHM) throw invalid(`Algorithm must be ${ALGORITHM}`);
  if (PaddingMode !== '') throw invalid(`PaddingMode is of no use with ${ALGORITHM}: leave it out`);
}

/**
 * Whoever chooses the IV of an encryption under a key that others use, too, can read what they encrypted: the same IV
 * makes the same key stream.
 */
export function assertNoIv({ Iv }: { readonly Iv: Buffer }): void {
  if (Iv.length > 0)
    throw invalid('Iv is chosen by the service: leave it out, and keep the one that is answered');
}

export function authenticatedBy({ Aad }: { readonly Aad: Buffer }): AuthenticatedData {
  if (Aad.length > MAX_AAD_BYTES) throw invalid(`Aad has more than ${MAX_AAD_BYTES} bytes`);
  return { kind: 'raw', bytes: Aad };
}

export function someBytes<N extends string>(name: N, request: Readonly<Record<N, Buffer>>): Buffer {
  if (request[name].length === 0) throw invalid(`${name} is required`);
  return request[name];
}

export function plaintextOf(request: { readonly Plaintext: Buffer }): Buffer {
  const plaintext = someBytes('Plaintext', request);
  if (plaintext.length <= MAX_PLAINTEXT_BYTES) return plaintext;
  throw invalid(`Plaintext has more than ${MAX_PLAINTEXT_BYTES} bytes: its ciphertext would fit no request`);
}

export function countOf<N extends string>(name: N, request: Readonly<Record<N, number>>): number {
  const count = request[name];
  if (count < 1 || count > MAX_RANDOM_BYTES) throw invalid(`${name} must be from 1 to ${MAX_RANDOM_BYTES}`);
  return count;
}

export function specOf({ KeyPairSpec }: { readonly KeyPairSpec: string }): DataKeyPairRequest['spec'] {
  const spec = SPECS.get(KeyPairSpec);
  if (!spec) throw invalid(`KeyPairSpec must be one of ${[...SPECS.keys()].join(', ')}`);
  return spec;
}

export function formatOf({ KeyFormat: format }: { readonly KeyFormat: string }): KeyFormat {
  if (format !== 'PEM' && format !== 'DER') throw invalid('KeyFormat must be PEM or DER');
  return format;
}

const invalid = (reason: string) => refusal('InvalidParameter', reason);
