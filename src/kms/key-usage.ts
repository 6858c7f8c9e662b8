/** What a key can be used for: AWS's `KeySpec` and what goes with it. All keys are SYMMETRIC_DEFAULT. */
import { KmsError } from '../errors';

export type EncryptionAlgorithm = 'SYMMETRIC_DEFAULT' | 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256' | 'SM2PKE';

/**
 * For everything that encrypts or decrypts, once it is known that the key is there and can be used.
 *
 * @throws KmsError INVALID_KEY_USAGE
 */
export function assertAlgorithm(algorithm: EncryptionAlgorithm = 'SYMMETRIC_DEFAULT'): void {
  if (algorithm === 'SYMMETRIC_DEFAULT') return;
  throw new KmsError(
    'INVALID_KEY_USAGE',
    `Algorithm ${algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
  );
}
