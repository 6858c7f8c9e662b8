/** Who sent a request of the Alibaba KMS instance API. */
import { hash } from 'node:crypto';
import type { Kms } from '../../kms/kms';
import { type Authenticated, onePrincipal, principalOfCertificate } from '../caller';
import type { RequestHead } from '../protocol';
import { invalidParam, missingParameter, refusal } from './errors';
import { assertSignature, type Headers, headersOf, type SignedHead } from './signature';

/** `none`: whoever can connect is the root principal. */
export type Auth = 'signature' | 'none';

type AuthenticHead = SignedHead & Pick<RequestHead, 'source'>;

const SIGNATURE_METHOD = 'RSA_PKCS1_SHA_256';
const SKEW_MS = 15 * 60_000;

/**
 * By signature, by client certificate, or by both; from the headers alone, because the body's hash is one of them: a
 * stranger's body need not be read.
 *
 * @param now milliseconds since 1970
 * @throws ProtocolError; KmsError UNRECOGNIZED_CLIENT
 */
export async function authenticate(
  kms: Pick<Kms, 'principals'>,
  auth: Auth,
  head: AuthenticHead,
  now = Date.now(),
): Promise<Authenticated> {
  if (auth === 'none') return { principal: kms.principals.root() };
  const headers = headersOf(head.rawHeaders);
  const signed = isSigned(headers);
  const certified = signed && !mayCertify(head) ? undefined : await principalOfCertificate(kms, head.source);
  if (certified && !signed) return { principal: certified };
  const { principal, accessKeyId } = await verified(kms, head, headers, now);
  return { principal: onePrincipal(certified, principal), accessKeyId };
}

/**
 * The second half: whether the body is the one whose hash is in the headers, which a signature covers. A request that is
 * not signed need not have one: its connection vouches for its body.
 *
 * @throws ProtocolError SignatureNotMatch
 */
export function assertSignedBody(auth: Auth, { rawHeaders }: SignedHead, body: Buffer): void {
  if (auth === 'none') return;
  const named = headersOf(rawHeaders).get('content-sha256');
  if (named === undefined || named === hash('sha256', body, 'hex').toUpperCase()) return;
  throw refusal('SignatureNotMatch', 'content-sha256 is not the hash of the body in upper-case hex');
}

/** Any authorization header counts, a wrong one too: nobody's signature is ignored because they have a certificate. */
const isSigned = (headers: Headers): boolean => headers.has('authorization');

/**
 * Alibaba's Go SDK offers the certificate in the client key's file, which no authority issued, to every server that
 * asks for one. It says nothing, so a request that is signed as well goes by its signature.
 */
const mayCertify = ({ source }: AuthenticHead): boolean => source.certificate?.authorized === true;

/**
 * The date is judged before anybody is looked up: what is stale is refused without work, and the answer says nothing
 * of the client key. Alibaba tells an unknown client key from a wrong signature, and so do we: ids are no secret, and
 * nobody guesses a private key.
 */
async function verified(
  { principals }: Pick<Kms, 'principals'>,
  head: SignedHead,
  headers: Headers,
  now: number,
): Promise<Required<Authenticated>> {
  const signedAt = dateOf(headers.get('date') ?? '');
  assertSignatureMethod(headers.get('x-kms-signaturemethod'));
  const accessKeyId = required(headers, 'x-kms-acccesskeyid');
  required(headers, 'authorization');
  required(headers, 'content-sha256');
  if (Math.abs(now - signedAt) > SKEW_MS) {
    throw refusal('RequestTimeTooSkewed', 'the date is more than 15 minutes off');
  }
  const found = await principals.findClientKey(accessKeyId);
  if (!found) throw refusal('AccessKeyNotFound', 'the client key is unknown, or has expired');
  assertSignature(found.publicKey, head, headers);
  return { principal: found.principal, accessKeyId };
}

/** @throws ProtocolError MissingParameter where it is missing or empty */
function required(headers: Headers, name: string): string {
  const value = headers.get(name);
  if (value) return value;
  throw missingParameter(name);
}

function assertSignatureMethod(value: string | undefined): void {
  if (value !== SIGNATURE_METHOD) throw invalidParam('x-kms-signaturemethod', value);
}

/** RFC 1123, as SDKs write it; some systems call GMT UTC. */
const RFC_1123 =
  /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d) (?:GMT|UTC)$/;

/**
 * Milliseconds since 1970. The day of the week is not compared.
 *
 * @throws ProtocolError InvalidParam where it is no date, or not one that there is
 */
function dateOf(text: string): number {
  const moment = RFC_1123.exec(text)?.[1];
  if (moment === undefined) throw invalidParam('Date');
  const time = Date.parse(`${moment} GMT`);
  // Date.parse takes 31 February for 3 March.
  if (!new Date(time).toUTCString().includes(moment)) throw invalidParam('Date');
  return time;
}
