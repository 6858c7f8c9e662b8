import { incomplete, invalid, mismatch } from './errors';

/** The values of every header by its name in lower case, in the order they came. */
export type Headers = ReadonlyMap<string, readonly string[]>;

/** `rawHeaders` holds names and values in turn. */
export function headersOf(rawHeaders: readonly string[]): Headers {
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase();
    const value = String(rawHeaders[index + 1]);
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  }
  return headers;
}

/** Of a repeated one of these, HTTP libraries and proxies disagree which counts: what was signed must be what is done. */
const ONCE = ['Authorization', 'Host', 'Date', 'X-Amz-Date', 'X-Amz-Target', 'X-Amz-Content-Sha256'];
const ONCE_BY_NAME = ONCE.map((label) => ({ label, name: label.toLowerCase() }));

/** @throws SignatureError if a header that decides anything is there twice */
export function assertNotRepeated(headers: Headers): void {
  for (const { label, name } of ONCE_BY_NAME) {
    const values = headers.get(name);
    if (values && values.length > 1) throw incomplete(`The ${label} header must not be repeated.`);
  }
}

/** A header's name in lower case (RFC 9110's token). */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/**
 * The names of SignedHeaders.
 * @throws SignatureError unless they are in lower case, sorted and each there once, as every signer makes them
 */
export function signedNames(text: string): readonly string[] {
  const names = text.split(';');
  const regular = names.every(
    (name, index) => NAME.test(name) && (index === 0 || String(names[index - 1]) < name),
  );
  if (!regular) throw incomplete("'SignedHeaders' must be in lower case, sorted and without duplicates.");
  return names;
}

/**
 * Every header that a request could be turned into another with must be signed. AWS does not insist on
 * Content-Type, and a changed one is only refused.
 * @throws SignatureError
 */
export function assertSigned(headers: Headers, names: readonly string[]): void {
  const signed = new Set(names);
  if (!signed.has('host')) {
    throw invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-') && !signed.has(name)) {
      throw invalid(
        'There were headers present in the request which were not signed: every X-Amz-* must be.',
      );
    }
  }
  if (!names.every((name) => headers.has(name))) throw mismatch();
}
