/** Parameters that several requests have, and what may be in them. All of them throw ProtocolError InvalidParameter. */
import type { KeyPairSpecName } from '../../hsm/key-pair-specs';
import type { AuthenticatedData } from '../../kms/authenticated-data';
import type { KeyFormat } from '../../kms/key-format';
import { refusal } from './errors';

/** The one algorithm, which requests need not name. */
export const ALGORITHM = 'AES_GCM';
const MAX_AAD_BYTES = 8192;
/** The most that the token is asked for at once: as in TrentService. */
const MAX_RANDOM_BYTES = 1024;

/** Alibaba's names, and ours. */
const SPECS: ReadonlyMap<string, KeyPairSpecName> = new Map([
  ['RSA_2048', 'RSA_2048'],
  ['RSA_3072', 'RSA_3072'],
  ['RSA_4096', 'RSA_4096'],
  ['EC_P256', 'ECC_NIST_P256'],
  ['EC_P256K', 'ECC_SECG_P256K1'],
]);

export function keyIdOf({ KeyId }: { readonly KeyId: string }): string {
  if (KeyId === '') throw invalid('KeyId is required');
  return KeyId;
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
  if (Iv.length > 0) throw invalid('Iv is chosen by the service: leave it out, and keep the one that is answered');
}

export function authenticatedBy({ Aad }: { readonly Aad: Buffer }): AuthenticatedData {
  if (Aad.length > MAX_AAD_BYTES) throw invalid(`Aad has more than ${MAX_AAD_BYTES} bytes`);
  return { kind: 'raw', bytes: Aad };
}

export function someBytes<N extends string>(name: N, request: Readonly<Record<N, Buffer>>): Buffer {
  if (request[name].length === 0) throw invalid(`${name} is required`);
  return request[name];
}

export function countOf<N extends string>(name: N, request: Readonly<Record<N, number>>): number {
  const count = request[name];
  if (count < 1 || count > MAX_RANDOM_BYTES) throw invalid(`${name} must be from 1 to ${MAX_RANDOM_BYTES}`);
  return count;
}

export function specOf({ KeyPairSpec }: { readonly KeyPairSpec: string }): KeyPairSpecName {
  const spec = SPECS.get(KeyPairSpec);
  if (!spec) throw invalid(`KeyPairSpec must be one of ${[...SPECS.keys()].join(', ')}`);
  return spec;
}

export function formatOf({ KeyFormat: format }: { readonly KeyFormat: string }): KeyFormat {
  if (format !== 'PEM' && format !== 'DER') throw invalid('KeyFormat must be PEM or DER');
  return format;
}

const invalid = (reason: string) => refusal('InvalidParameter', reason);
