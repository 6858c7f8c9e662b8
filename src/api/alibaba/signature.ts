/** Requests' signatures: which headers they cover, and whether one fits. */
import { constants, type KeyObject, verify } from 'node:crypto';
import type { RequestHead } from '../protocol';
import { refusal } from './errors';

/** The part of a request that its signature covers; the body's hash is one of the headers. */
export type SignedHead = Pick<RequestHead, 'method' | 'url' | 'rawHeaders'>;

/** Values by name in lower case. node:http has trimmed them, and lets no line break through. */
export type Headers = ReadonlyMap<string, string>;

/** What a signature does not cover decides nothing, and may be there twice. */
const DECISIVE = /^(?:authorization|content-(?:sha256|type)|date|x-kms-.*)$/;
const SCHEME = /^(?:Bearer|TOKEN) /;

/**
 * @throws ProtocolError SignatureNotMatch where a header that decides anything is there twice: HTTP libraries and
 * proxies disagree which one counts, so what was signed might not be what is done
 */
export function headersOf(rawHeaders: readonly string[]): Headers {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase();
    if (headers.has(name) && DECISIVE.test(name)) {
      throw refusal('SignatureNotMatch', `a header is there twice: ${name}`);
    }
    headers.set(name, String(rawHeaders[index + 1]));
  }
  return headers;
}

/** @throws ProtocolError SignatureNotMatch where the signature is not the key's, or is of another request */
export function assertSignature(publicKey: KeyObject, { method, url }: SignedHead, headers: Headers): void {
  // SDKs sign no query, because they send none.
  if (url !== '/') throw refusal('SignatureNotMatch', 'the request is not for the path / alone');
  const signature = signatureOf(headers.get('authorization') ?? '');
  const key = { key: publicKey, padding: constants.RSA_PKCS1_PADDING };
  if (verify('sha256', stringToSign(method, headers), key, signature)) return;
  throw refusal('SignatureNotMatch', 'the signature is not that of the headers by this client key');
}

/** As the headers' bytes came: node:http reads each as one character. */
export function stringToSign(method: string, headers: Headers): Buffer {
  const lines = [
    method,
    ...['content-sha256', 'content-type', 'date'].map((name) => headers.get(name) ?? ''),
  ];
  const own = [...headers.keys()].filter((name) => name.startsWith('x-kms-')).sort();
  for (const name of own) lines.push(`${name}:${headers.get(name)}`);
  return Buffer.from([...lines, '/'].join('\n'), 'latin1');
}

/** Node's decoder skips what is no base64; what was sent must have one reading. */
function signatureOf(authorization: string): Buffer {
  if (!SCHEME.test(authorization)) {
    throw refusal('SignatureNotMatch', 'the authorization header is neither "Bearer …" nor "TOKEN …"');
  }
  const text = authorization.replace(SCHEME, '');
  const signature = Buffer.from(text, 'base64');
  if (signature.toString('base64') === text) return signature;
  throw refusal('SignatureNotMatch', 'the signature is not base64');
}
