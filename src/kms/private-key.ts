/** Handing out a wrapped private key, where that is allowed. */
import { KmsError } from '../errors';
import { invalidCiphertext, type PrivateKeyCiphertext, type PrivateKeyHeader } from './ciphertext';
import type { KeyVersion } from './key';
import { formatKey } from './key-format';
import type { Call, Kms } from './kms';

/**
 * Whether this private key may leave the token at all. Asked before any unwrapping.
 *
 * @throws KmsError UNSUPPORTED_OPERATION
 */
export function assertMayLeave({ privateKeyExport, token }: Kms, { sealedKey }: PrivateKeyHeader): void {
  // A key that was sealed when it was made stays sealed, whatever the setting says now.
  if (sealedKey || privateKeyExport === 'never') {
    throw new KmsError(
      'UNSUPPORTED_OPERATION',
      'This private key is sealed: it never leaves the service in plaintext.',
    );
  }
  if (!token.report.canExport) {
    throw new KmsError('UNSUPPORTED_OPERATION', 'The token of this service lets no private key out.');
  }
}

/**
 * A header may name a wrapping that the token does not do: that is a fault of the ciphertext, found without asking
 * the token, which would make it a fault of its own.
 *
 * @throws KmsError INVALID_CIPHERTEXT
 */
export function assertUnwraps({ token }: Kms, { wrapping }: PrivateKeyCiphertext): void {
  const { dialect } = token.report;
  // AES-GCM alone is chosen wherever it works, so a dialect with another wrapping lacks it.
  const does = wrapping === 'gcm' ? dialect.wrapping === 'gcm' : dialect.kwpMechanism !== undefined;
  if (!does) throw invalidCiphertext();
}

/**
 * The private key as PKCS#8, in the format that its ciphertext names, to be handed out, which the audit record tells. The
 * caller zeroes it.
 */
export async function openPrivateKey(
  kms: Kms,
  call: Call,
  ciphertext: PrivateKeyCiphertext,
  version: KeyVersion,
  aad: Buffer,
): Promise<Buffer> {
  const { spec, wrapping, format, point, iv, sealed } = ciphertext;
  const { encryptObject, wrapObject } = version;
  const { privateKey } = await kms.token.run(
    'exportPrivateKey',
    { spec: spec.name, wrapping, encryptObject, wrapObject, point, aad, iv, sealed },
    call,
  );
  call.details = { ...call.details, keyPairSpec: spec.name, privateKey: 'returned' };
  if (format === 'DER') return privateKey;
  try {
    return formatKey(privateKey, format, 'PRIVATE KEY');
  } finally {
    privateKey.fill(0);
  }
}
