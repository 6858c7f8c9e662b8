/** The encryption context: pairs of strings that a ciphertext is bound to. */
import { KmsError } from '../errors';

/** A Map, so that `__proto__` is a key like any other. */
export type EncryptionContext = ReadonlyMap<string, string>;

/**
 * The context as bytes that AES-GCM authenticates: the pairs sorted by the UTF-8 bytes of their keys, every
 * string behind its length in four bytes, big endian. Two contexts have the same bytes only if they are equal.
 *
 * @throws KmsError INVALID_REQUEST for a string that UTF-8 has no bytes for (a lone surrogate)
 */
export function encodeEncryptionContext(context: EncryptionContext): Buffer {
  const pairs = [...context].map(([key, value]) => [utf8(key), utf8(value)] as const);
  // Not by UTF-16 code units, as JavaScript would: every implementation must find the same order.
  pairs.sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat(pairs.flatMap(([key, value]) => [lengthOf(key), key, lengthOf(value), value]));
}

function utf8(text: string): Buffer {
  if (!text.isWellFormed()) {
    throw new KmsError(
      'INVALID_REQUEST',
      'The encryption context holds text that is not well-formed Unicode.',
    );
  }
  return Buffer.from(text, 'utf8');
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return length;
}
