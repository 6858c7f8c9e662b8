/**
 * Subjects of certificates in one form, whoever wrote them: node (`X509Certificate.subject`), openssl, or a person
 * after RFC 4514. Their grammars differ in separators and spaces only.
 *
 * A name and the same name written from its other end are one: openssl writes a subject in the order of the
 * certificate, RFC 4514 in the opposite one. Any other order is another name. Attribute types are the same in either
 * case of their letters, values are not.
 */

const TYPE = /^([A-Za-z][A-Za-z0-9-]*|\d+(\.\d+)+)$/;
/** The separators that the three use; node writes each part on a line of its own. */
const NEXT_PART = /[,;\n]/;
/** What `openssl x509 -noout -subject` puts before a subject. */
const OPENSSL_PREFIX = /^subject=\s*(?=[\w.-]+\s*=)/;
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** The subject in p11kms's form, which is one of RFC 4514's; undefined for what is no subject, and for the empty one. */
export function normaliseSubject(text: string): string | undefined {
  const parts = readParts(text);
  if (!parts) return undefined;
  const written = parts.map(writePart);
  const [first] = [written.join(','), written.reverse().join(',')].sort();
  return first;
}

/** The parts of a name (RDNs), each of one attribute or several. */
function readParts(text: string): Attribute[][] | undefined {
  const reader = { text: text.replace(OPENSSL_PREFIX, ''), at: 0 };
  const parts: Attribute[][] = [];
  for (let attributes: Attribute[] = []; ; ) {
    const attribute = readAttribute(reader);
    if (!attribute) return undefined;
    attributes.push(attribute);
    const separator = reader.text[reader.at++];
    if (separator === '+') continue;
    parts.push(attributes);
    if (separator === undefined) return parts;
    attributes = [];
  }
}

interface Reader {
  readonly text: string;
  at: number;
}

/** Reads up to the next separator that is not escaped. */
function readAttribute(reader: Reader): Attribute | undefined {
  const equals = reader.text.indexOf('=', reader.at);
  if (equals < 0) return undefined;
  const type = reader.text.slice(reader.at, equals).trim();
  reader.at = equals + 1;
  const value = readValue(reader);
  return TYPE.test(type) && value !== undefined && value !== ''
    ? { type: type.toUpperCase(), value }
    : undefined;
}

const isSpace = (character: string | undefined): boolean => character === ' ';

function readValue(reader: Reader): string | undefined {
  const { text } = reader;
  while (isSpace(text[reader.at])) reader.at++;
  if (text[reader.at] === '"') return readQuoted(reader);
  // The value as DER, in hex: nobody writes it by hand, and node does not.
  if (text[reader.at] === '#') return undefined;
  const bytes: number[] = [];
  let length = 0;
  for (; reader.at < text.length; ) {
    const character = text[reader.at] ?? '';
    if (character === '+' || NEXT_PART.test(character)) break;
    if (character === '"') return undefined;
    if (!readCharacter(reader, bytes)) return undefined;
    // Spaces at the end count only where they are escaped.
    if (!isSpace(character)) length = bytes.length;
  }
  return decode(bytes.slice(0, length));
}

/** `"Example, Inc."`: openssl's way, and RFC 2253's. */
function readQuoted(reader: Reader): string | undefined {
  const bytes: number[] = [];
  reader.at++;
  while (reader.text[reader.at] !== '"') {
    if (reader.at >= reader.text.length || !readCharacter(reader, bytes)) return undefined;
  }
  reader.at++;
  while (isSpace(reader.text[reader.at])) reader.at++;
  const next = reader.text[reader.at];
  if (next !== undefined && next !== '+' && !NEXT_PART.test(next)) return undefined;
  return decode(bytes);
}

/** One character, or what an escape stands for: itself, or a byte of UTF-8 in hex. */
function readCharacter(reader: Reader, bytes: number[]): boolean {
  const { text } = reader;
  if (text[reader.at] !== '\\') {
    const character = String.fromCodePoint(text.codePointAt(reader.at) ?? 0);
    bytes.push(...Buffer.from(character));
    reader.at += character.length;
    return true;
  }
  const pair = text.slice(reader.at + 1, reader.at + 3);
  if (HEX_PAIR.test(pair)) {
    bytes.push(Number.parseInt(pair, 16));
    reader.at += 3;
    return true;
  }
  const escaped = text.codePointAt(reader.at + 1);
  if (escaped === undefined) return false;
  const character = String.fromCodePoint(escaped);
  bytes.push(...Buffer.from(character));
  reader.at += 1 + character.length;
  return true;
}

function decode(bytes: readonly number[]): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

/** The attributes of one part have no order. */
const writePart = (attributes: readonly Attribute[]): string =>
  attributes
    .map(({ type, value }) => `${type}=${escapeValue(value)}`)
    .sort()
    .join('+');

/** RFC 4514, section 2.4; also what would end a line, or could not be seen. */
const escapeValue = (value: string): string =>
  value
    .replace(/[\\",+;<>]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/\p{Cc}/gu, (control) => hexOf(control));

const hexOf = (character: string): string =>
  [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
