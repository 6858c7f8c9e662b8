/** What a key is handed out as: its DER, or that in PEM (RFC 7468). */
export type KeyFormat = 'DER' | 'PEM';

const LINE_BYTES = 48;

/**
 * A key in the format that was asked for: the DER itself, or a PEM that shares no memory with it.
 *
 * @param label what the PEM says it is
 */
export function formatKey(der: Buffer, format: KeyFormat, label: 'PRIVATE KEY' | 'PUBLIC KEY'): Buffer {
  return format === 'DER' ? der : pem(der, label);
}

/** Without a string in between, which could not be zeroed. */
function pem(der: Buffer, label: string): Buffer {
  const [begin, end] = [`-----BEGIN ${label}-----\n`, `-----END ${label}-----\n`];
  const lines = Math.ceil(der.length / LINE_BYTES);
  const text = Buffer.alloc(begin.length + Math.ceil(der.length / 3) * 4 + lines + end.length);
  let at = text.write(begin, 'latin1');
  for (let from = 0; from < der.length; from += LINE_BYTES) {
    at = writeBase64(text, at, der.subarray(from, from + LINE_BYTES));
    at = text.writeUInt8(NEWLINE, at);
  }
  text.write(end, at, 'latin1');
  return text;
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;
const NEWLINE = 0x0a;

/** @returns where it ends */
function writeBase64(text: Buffer, start: number, bytes: Buffer): number {
  let at = start;
  for (let from = 0; from < bytes.length; from += 3) {
    const [one = 0, two, three] = bytes.subarray(from, from + 3);
    const bits = (one << 16) | ((two ?? 0) << 8) | (three ?? 0);
    text[at] = digit(bits >> 18);
    text[at + 1] = digit(bits >> 12);
    text[at + 2] = two === undefined ? PADDING : digit(bits >> 6);
    text[at + 3] = three === undefined ? PADDING : digit(bits);
    at += 4;
  }
  return at;
}

const digit = (bits: number): number => ALPHABET[bits & 0x3f] ?? PADDING;
