import { Agent } from 'node:https';
import { KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { atEnd } from './at-end';
import type { Credentials } from './credentials';

// The SDK warns of the Node.js versions that it will drop; nothing in a test run depends on that.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const REGION = 'us-east-1';

/** A server, and an access key for it. */
export interface Endpoint {
  readonly url: string;
  readonly credentials: Credentials;
  /** The authority to believe over TLS, PEM. */
  readonly ca?: string;
}

/** An AWS client of a server, which tries once. */
export function kmsClient({ url, credentials, ca }: Endpoint): KMSClient {
  const requestHandler = ca === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ ca }) } };
  const about = { endpoint: url, region: REGION, credentials, maxAttempts: 1, ...requestHandler };
  const client = new KMSClient(about);
  atEnd(() => client.destroy());
  return client;
}

/** An error as a client of the AWS SDK sees it. */
export interface Refusal {
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  readonly requestId: string;
}

/** How a call was refused. Throws where it was not, where it failed otherwise, and where no request id came. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (!(error instanceof KMSServiceException)) throw error;
    const { name, message, $metadata } = error;
    const { httpStatusCode: status, requestId } = $metadata;
    if (requestId === undefined) throw new Error(`${name} came without x-amzn-RequestId`);
    return { name, message, status, requestId };
  }
  throw new Error(`not refused: ${JSON.stringify(answer)}`);
}

/** The name of the exception with which a call was refused. */
export const exceptionOf = async (call: Promise<unknown>): Promise<string> => (await refusalOf(call)).name;

/** An HTTP answer, read to its end. */
export interface RawAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly requestId: string | null;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

/** What a request may have that the AWS SDK would not send. */
export interface RawRequest {
  /** Defaults to `TrentService.` and the operation. */
  readonly target?: string;
  readonly contentType?: string;
}

/** A TrentService request as it is, signed: `body` is sent as it comes. */
export async function sendRaw(
  { url, credentials }: Endpoint,
  operation: string,
  body: string | Uint8Array<ArrayBuffer>,
  { target = `TrentService.${operation}`, contentType = 'application/x-amz-json-1.1' }: RawRequest = {},
): Promise<RawAnswer> {
  const headers = await sign(url, credentials, { 'content-type': contentType, 'x-amz-target': target }, body);
  return send({ url }, headers, body);
}

/** A POST of `/` with these headers, as they are. */
export async function send(
  { url }: { readonly url: string },
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<RawAnswer> {
  return readAnswer(await fetch(url, { method: 'POST', headers, body }));
}

/** The headers of a signed POST of `/`. */
export async function sign(
  url: string,
  credentials: Credentials,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  signingDate = new Date(),
): Promise<Record<string, string>> {
  const { host, hostname, protocol } = new URL(url);
  const signer = new SignatureV4({ service: 'kms', region: REGION, credentials, sha256: Sha256 });
  const request = {
    method: 'POST',
    protocol,
    hostname,
    path: '/',
    query: {},
    headers: { host, ...headers },
    body,
  };
  return (await signer.sign(request, { signingDate })).headers;
}

/** GET of a path. */
export async function get({ url }: { readonly url: string }, path: string): Promise<RawAnswer> {
  return readAnswer(await fetch(`${url}${path}`));
}

async function readAnswer(response: Response): Promise<RawAnswer> {
  const text = await response.text();
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    requestId: response.headers.get('x-amzn-requestid'),
    text,
    json: () => JSON.parse(text),
  };
}
