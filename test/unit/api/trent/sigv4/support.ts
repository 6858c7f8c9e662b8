import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { ProtocolError } from '../../../../../src/api/trent/errors';
import {
  type FindSigningKey,
  type SignatureScope,
  type SignedRequest,
  signingKey,
  verifySignature,
} from '../../../../../src/api/trent/sigv4/verify';

export const ACCESS_KEY_ID = 'AKIAEXAMPLEEXAMPLE01';
/** AWS's example of a secret, known to everybody. */
export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const SCOPE: SignatureScope = { region: 'us-east-1', service: 'kms' };
export const NOW = new Date('2026-03-01T00:02:00.400Z');
export const IDENTITY = 'arn:aws:iam::111122223333:user/alice';

export const minutesAfter = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

/** Knows one access key, and does for any other what a store does. */
export const finder = (scope = SCOPE) =>
  jest.fn<ReturnType<FindSigningKey<string>>, Parameters<FindSigningKey<string>>>(async (id, date) =>
    id === ACCESS_KEY_ID
      ? { signingKey: signingKey(Buffer.from(SECRET), date, scope), identity: IDENTITY }
      : { signingKey: Buffer.alloc(32), identity: undefined },
  );

interface Circumstances {
  readonly now?: Date;
  readonly find?: FindSigningKey<string>;
}

export const verify = (request: SignedRequest, { now = NOW, find = finder() }: Circumstances = {}) =>
  verifySignature(request, SCOPE, find, now);

interface Unsigned {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

export interface Signer {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  readonly at?: Date;
  readonly region?: string;
  readonly service?: string;
  /** Whether X-Amz-Content-Sha256 is sent. */
  readonly applyChecksum?: boolean;
}

/** What AWS's own library signs, as headers. */
export async function sign(unsigned: Unsigned, signer: Signer = {}): Promise<Record<string, string>> {
  const { at = NOW, region = SCOPE.region, service = SCOPE.service, applyChecksum = true } = signer;
  const { accessKeyId = ACCESS_KEY_ID, secretAccessKey = SECRET, sessionToken } = signer;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  const signature = new SignatureV4({ credentials, region, service, applyChecksum, sha256: Sha256 });
  const request = { ...unsigned, protocol: 'http:', hostname: '127.0.0.1' };
  return (await signature.sign(request, { signingDate: at })).headers;
}

const TARGET = 'TrentService.GenerateDataKeyPair';

/** A request like the SDK's, signed. */
export async function signedRequest(signer: Signer = {}, more: Record<string, string> = {}) {
  const body = '{"KeyId":"alias/example","KeyPairSpec":"ECC_NIST_P256"}';
  const headers = { host: '127.0.0.1:8080', 'content-type': 'application/x-amz-json-1.1', ...more };
  const unsigned = {
    method: 'POST',
    path: '/',
    query: {},
    body,
    headers: { ...headers, 'x-amz-target': TARGET },
  };
  return { method: 'POST', url: '/', headers: await sign(unsigned, signer), body: Buffer.from(body) };
}

type WithHeaders = Omit<SignedRequest, 'rawHeaders'> & { readonly headers: Record<string, string> };

export const raw = ({ headers, ...request }: WithHeaders): SignedRequest => ({
  ...request,
  rawHeaders: Object.entries(headers).flat(),
});

export const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
  'Access Key and signing method. Consult the service documentation for details.';

export type Change = (headers: Record<string, string>) => Record<string, string>;

/** A good request with its headers changed after signing. */
export async function changed(change: Change, signer: Signer = {}): Promise<SignedRequest> {
  const request = await signedRequest(signer);
  return raw({ ...request, headers: change(request.headers) });
}

export const authorization =
  (change: (value: string) => string): Change =>
  (headers) => ({ ...headers, authorization: change(String(headers.authorization)) });

export const without =
  (name: string): Change =>
  ({ [name]: _gone, ...headers }) =>
    headers;

/** The error that a request is refused with: one of the protocol, and the client's fault. */
export async function refusal(result: Promise<unknown>): Promise<ProtocolError> {
  const error = await result.then(
    (identity) => new Error(`accepted as ${String(identity)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ProtocolError)) throw error;
  expect(error.status).toBe(400);
  return error;
}
