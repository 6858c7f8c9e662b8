/** What a caller binds a ciphertext to: an encryption context (AWS) or bytes (Alibaba's Aad). */
import { type EncryptionContext, encodeEncryptionContext } from './encryption-context';

export type AuthenticatedData =
  | { readonly kind: 'context'; readonly pairs: EncryptionContext }
  | { readonly kind: 'raw'; readonly bytes: Buffer };

const KIND = { none: 0, context: 1, raw: 2 } as const;

/** The caller's part of AES-GCM's additional data: a byte of kind and its bytes. Empty is kind 0, whatever it was. */
export function encodeAuthenticatedData(data: AuthenticatedData): Buffer {
  const bytes = data.kind === 'context' ? encodeEncryptionContext(data.pairs) : data.bytes;
  if (bytes.length === 0) return Buffer.from([KIND.none]);
  return Buffer.concat([Buffer.from([KIND[data.kind]]), bytes]);
}
