/**
 * The little DER (X.690) that keys need. Node's own encoders would do for most of it, at 50 to 100 µs a key
 * on the hot path, and leave private numbers behind in strings.
 */
const TAG = { integer: 0x02, bitString: 0x03, octetString: 0x04, sequence: 0x30, explicit1: 0xa1 } as const;

/** The most that two bytes of length can say; no key comes near it. */
const MAX_LENGTH = 0xffff;

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > MAX_LENGTH) throw new Error(`DER: ${length} bytes are too many`);
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), ...parts]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => tlv(TAG.sequence, ...parts);
export const octetString = (bytes: Buffer): Buffer => tlv(TAG.octetString, bytes);
export const bitString = (bytes: Buffer): Buffer => tlv(TAG.bitString, Buffer.from([0]), bytes);
export const explicit1 = (inner: Buffer): Buffer => tlv(TAG.explicit1, inner);

/** A non-negative integer from its big-endian bytes, with or without leading zeros. */
export function integer(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const padded = ((trimmed[0] ?? 0) & 0x80) !== 0 || trimmed.length === 0;
  return tlv(TAG.integer, ...(padded ? [Buffer.from([0])] : []), trimmed);
}

interface Element {
  readonly tag: number;
  readonly value: Buffer;
  /** What stands behind the element. */
  readonly rest: Buffer;
}

function readElement(bytes: Buffer): Element {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined) throw new Error('DER: an element is cut off');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 2 || (first & 0x80 && lengthBytes === 0))
    throw new Error('DER: a length is not supported');
  const start = 2 + lengthBytes;
  if (bytes.length < start) throw new Error('DER: an element is cut off');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  if (bytes.length < start + length) throw new Error('DER: an element is cut off');
  return { tag, value: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

function read(bytes: Buffer, tag: number): Element {
  const element = readElement(bytes);
  if (element.tag !== tag) throw new Error(`DER: expected tag ${tag}, found ${element.tag}`);
  return element;
}

/** The bytes inside an OCTET STRING, as CKA_EC_POINT holds a point. */
export function readOctetString(bytes: Buffer): Buffer {
  return read(bytes, TAG.octetString).value;
}

/**
 * The private number of an EC key: PKCS#8 (RFC 5208) around ECPrivateKey (RFC 5915). Bytes behind the
 * structure, which tokens leave there as padding, are passed over. The result shares the input's memory.
 */
export function readEcPrivateNumber(pkcs8: Buffer): Buffer {
  const info = read(pkcs8, TAG.sequence).value;
  const algorithm = read(read(info, TAG.integer).rest, TAG.sequence);
  const inner = read(read(algorithm.rest, TAG.octetString).value, TAG.sequence).value;
  return read(read(inner, TAG.integer).rest, TAG.octetString).value;
}

/** The length of a DER element with its head: what stands behind it is padding. */
export function elementLength(bytes: Buffer): number {
  return bytes.length - readElement(bytes).rest.length;
}
