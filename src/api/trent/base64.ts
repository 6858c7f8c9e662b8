/** The bytes of a base64 text (RFC 4648, padded); undefined if it is none: Node's own decoder skips what it does not know. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** A blob of an answer. */
export const encodeBlob = (bytes: Buffer): string => bytes.toString('base64');

/** A secret blob of an answer; the buffer is zeroed, whatever happens. */
export function encodeSecret(bytes: Buffer): string {
  try {
    return bytes.toString('base64');
  } finally {
    bytes.fill(0);
  }
}
