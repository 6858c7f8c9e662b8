import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { ALGORITHM, readAuthorization, TERMINATOR } from './authorization';
import { canonicalRequest, isSignedByQuery } from './canonical';
import { invalid, mismatch, missingToken, unrecognized } from './errors';
import { assertNotRepeated, assertSigned, type Headers, headersOf } from './headers';
import { dateOf, staleness } from './timestamp';

/** A request as it came over HTTP. */
export interface SignedRequest {
  readonly method: string;
  /** As it came: path and query. */
  readonly url: string;
  /** Names and values in turn, as node:http's rawHeaders, so that repeated headers are seen. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** What a signature must have been made for. */
export interface SignatureScope {
  readonly region: string;
  readonly service: 'kms';
}

/**
 * Finds the key that a credential's signatures are made with. `date` is YYYYMMDD. For an unknown access key
 * id it resolves to a signing key that fits nothing, after the same work, with `identity` undefined.
 */
export type FindSigningKey<I> = (
  accessKeyId: string,
  date: string,
) => Promise<{ readonly signingKey: Buffer; readonly identity: I | undefined }>;

/** What may be asked for: anything else is nobody's, and need not reach a store or fill a cache. */
const ACCESS_KEY_ID = /^[A-Za-z0-9_]{16,128}$/;
/** No access key id looks like this. It is looked up in place of one that cannot be, for the same work. */
const NOBODY = '_'.repeat(16);
/** What no signer sends, and what would have two readings: a % that encodes nothing, and no byte of HTTP. */
const UNSIGNABLE = /%(?![0-9A-Fa-f]{2})|[^\u0020-\u00ff]/;

/**
 * Whose request it is. AWS Signature Version 4, in the Authorization header.
 *
 * What is wrong with a request's form is said at once. An unknown key, a wrong secret and a stale date are
 * found out only after one look-up and one comparison each, so that time does not tell them apart; the
 * look-up for a stale date is for today, so that nobody makes the finder derive and keep keys of other days.
 *
 * @smithy/signature-v4 would be cheap enough (a signature takes it 40 µs, this 20), but it makes a signer's own
 * request canonical, not a stranger's: it leaves out a query parameter named `__proto__`, repeated ones cost
 * it their square, and its keys come from secrets in strings. Tests hold the two against each other.
 * @throws SignatureError
 */
export async function verifySignature<I>(
  request: SignedRequest,
  scope: SignatureScope,
  findSigningKey: FindSigningKey<I>,
  now = new Date(),
): Promise<I> {
  const headers = headersOf(request.rawHeaders);
  assertForm(request, headers);
  const authorization = readAuthorization(headers, scope);
  assertSigned(headers, authorization.signedNames);
  const payloadHash = hash('sha256', request.body, 'hex');
  assertPayloadHash(headers, payloadHash);

  const stale = staleness(authorization.signedAt, now);
  const { accessKeyId, signedNames, signedAt } = authorization;
  // There are no temporary credentials: a session token is one that nobody gave out.
  const canBeKnown = ACCESS_KEY_ID.test(accessKeyId) && !headers.has('x-amz-security-token');
  const { signingKey: key, identity } = await findSigningKey(
    canBeKnown ? accessKeyId : NOBODY,
    stale === undefined ? signedAt.date : dateOf(now),
  );
  const { method, url } = request;
  const canonical = canonicalRequest({ method, url, headers, signedNames, payloadHash });
  const toSign = `${ALGORITHM}\n${signedAt.text}\n${authorization.scope}\n${hash('sha256', canonical, 'hex')}`;
  const fits = isSame(createHmac('sha256', key).update(toSign).digest('hex'), authorization.signature);

  if (stale !== undefined) throw invalid(stale);
  if (!canBeKnown || identity === undefined) throw unrecognized();
  if (!fits) throw mismatch();
  return identity;
}

/** Whether the request says whose it is, rightly or not: any Authorization header counts. */
export function isSigned(rawHeaders: readonly string[]): boolean {
  return rawHeaders.some((text, index) => index % 2 === 0 && text.toLowerCase() === 'authorization');
}

/** The key that a secret's signatures of one day are made with. What it makes on the way is zeroed. */
export function signingKey(secret: Buffer, date: string, { region, service }: SignatureScope): Buffer {
  let key = Buffer.concat([Buffer.from('AWS4'), secret]);
  for (const part of [date, region, service, TERMINATOR]) {
    const next = createHmac('sha256', key).update(part).digest();
    key.fill(0);
    key = next;
  }
  return key;
}

function assertForm({ url, rawHeaders }: SignedRequest, headers: Headers): void {
  if (isSignedByQuery(url)) {
    throw invalid('A signature in the query string is not supported. Sign with the Authorization header.');
  }
  if (!isSigned(rawHeaders)) throw missingToken();
  assertNotRepeated(headers);
  if (!url.startsWith('/') || UNSIGNABLE.test(url)) throw mismatch();
}

/** UNSIGNED-PAYLOAD and STREAMING-… end here, too: every body is signed. */
function assertPayloadHash(headers: Headers, payloadHash: string): void {
  const declared = headers.get('x-amz-content-sha256')?.[0];
  if (declared !== undefined && declared !== payloadHash) {
    throw invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
}

function isSame(expected: string, given: string): boolean {
  const ours = Buffer.from(expected);
  const theirs = Buffer.from(given);
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}
