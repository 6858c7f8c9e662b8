import { KmsError } from '../errors';
import type { AuthenticatedData } from './authenticated-data';
import type { About, Facts } from './authorization';
import type { Key } from './key';
import { assertEnabled } from './key-state';
import { describeKey } from './keys';
import type { Call, Kms } from './kms';

/**
 * The key that a cryptographic operation shall use.
 *
 * @throws KmsError NOT_FOUND, ACCESS_DENIED, DISABLED, INVALID_STATE
 */
export async function usableKey(kms: Kms, call: Call, keyId: string, about: About): Promise<Key> {
  const key = await describeKey(kms, call, keyId, about);
  assertEnabled(key);
  return key;
}

/** All checks have passed and nothing is to be done. */
export function stopDryRun(dryRun = false): void {
  if (dryRun) throw dryRunOk();
}

export function dryRunOk(): KmsError {
  return new KmsError('DRY_RUN', 'The request would have succeeded, but the DryRun option is set.');
}

/** What every request that encrypts or decrypts says of itself. */
export function cryptographic(authenticated: AuthenticatedData, facts?: Facts): About {
  return {
    facts: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT', ...facts },
    ...(authenticated.kind === 'context' && { encryptionContext: authenticated.pairs }),
  };
}
