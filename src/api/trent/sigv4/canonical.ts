import type { Headers } from './headers';

/** The parts of a request that its signature is made of. */
export interface CanonicalParts {
  readonly method: string;
  /** Path and query, as they came. */
  readonly url: string;
  readonly headers: Headers;
  /** The signed headers' names, sorted; all are there. */
  readonly signedNames: readonly string[];
  /** SHA-256 of the body, hex. */
  readonly payloadHash: string;
}

/**
 * The text that is hashed and signed ("Create a canonical request" in AWS's IAM User Guide). Characters above
 * U+007F in header values stand for the bytes of HTTP; AWS's SDKs and CLI sign their UTF-8.
 */
export function canonicalRequest({ method, url, headers, signedNames, payloadHash }: CanonicalParts): string {
  const { path, query } = splitUrl(url);
  let text = `${method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n`;
  for (const name of signedNames) text += `${name}:${canonicalValue(headers.get(name) ?? [])}\n`;
  return `${text}\n${signedNames.join(';')}\n${payloadHash}`;
}

function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** Whether the query holds a signature: AWS's other form, which p11kms does not take. */
export function isSignedByQuery(url: string): boolean {
  const { query } = splitUrl(url);
  return query !== '' && parametersOf(query).some(([name]) => /^x-amz-(algorithm|signature)$/i.test(name));
}

/** Spaces are folded inside quoted strings, too: AWS's test suite has it so, against older words of its guide. */
function canonicalValue(values: readonly string[]): string {
  return values.map((value) => value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '')).join(',');
}

/** Without empty and dot segments, and encoded once more than it came, as AWS does for all but S3. */
function canonicalPath(path: string): string {
  if (path === '/' || path === '') return '/';
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const end = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${end}`;
}

type Parameter = readonly [name: string, value: string];

/** Sorted by name, then value, after encoding: `=` does not take part, though it sorts after `-` and digits. */
function canonicalQuery(query: string): string {
  if (query === '') return '';
  return parametersOf(query)
    .sort(([name, value], [otherName, otherValue]) => order(name, otherName) || order(value, otherValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const order = (one: string, other: string) => (one < other ? -1 : Number(one > other));

/** Names and values, each encoded exactly once, however they came. */
function parametersOf(query: string): Parameter[] {
  const pairs = query.split('&').filter((pair) => pair !== '');
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 0) return [encodeOnce(pair), ''];
    return [encodeOnce(pair.slice(0, equals)), encodeOnce(pair.slice(equals + 1))];
  });
}

const encodeOnce = (text: string) => encode(text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex) => fromHex(hex)));
const fromHex = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16));

/** RFC 3986's unreserved characters stay; a character stands for a byte, as in what node:http hands out. */
const encode = (text: string) => text.replace(/[^A-Za-z0-9\-._~]/g, percent);
const percent = (byte: string) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
