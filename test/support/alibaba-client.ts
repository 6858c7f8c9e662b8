import { createHash, type KeyObject, sign as signWith } from 'node:crypto';
import { once } from 'node:events';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Answers, decode, type ErrorFields, encode, type Fields } from './alibaba-messages';
import { atEnd } from './at-end';

/** A client of the Alibaba KMS instance API, written from the description of the wire alone. */
export interface AlibabaClient {
  /** Calls an operation. Rejects with an `AlibabaRefusal` where it is refused. */
  call<N extends keyof Answers>(name: N, fields: Fields): Promise<Answers[N]>;
  /** Sends a request that may be malformed, and gives its answer as it is. */
  send(request: AlibabaRequest): Promise<AlibabaAnswer>;
}

export interface AlibabaEndpoint {
  readonly url: string;
  /** The authority to believe over TLS, PEM. */
  readonly ca?: string;
  readonly keyId: string;
  /** RSA. */
  readonly privateKey: KeyObject;
}

/** Names are in lower case. Undefined leaves a header out. */
export type Changes = Readonly<Record<string, string | undefined>>;

export interface AlibabaRequest {
  /** The operation. */
  readonly name: string;
  readonly body: Buffer;
  /** Now, where there is none. */
  readonly date?: Date;
  /** Headers that differ from those of a good request: the signature is of the headers as they are then. */
  readonly headers?: Changes;
  /** Headers that differ from those that were signed. */
  readonly unsigned?: Changes;
  /** What stands before the signature: what Alibaba's SDKs write, where there is none. */
  readonly scheme?: string;
  /** Signs otherwise than with the client's key. */
  readonly sign?: (text: string) => Buffer;
  /** Sends the body as a client does that does not know its length beforehand. */
  readonly chunked?: boolean;
}

export interface AlibabaAnswer {
  readonly httpStatus: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as the message `Error`. */
  error(): ErrorFields;
}

/** An operation that was refused. */
export class AlibabaRefusal extends Error {
  override readonly name = 'AlibabaRefusal';
  readonly StatusCode: number;
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
  readonly RequestId: string;

  constructor(
    readonly httpStatus: number,
    error: ErrorFields,
  ) {
    super(`${httpStatus} ${error.ErrorCode}: ${error.ErrorMessage}`);
    this.StatusCode = error.StatusCode;
    this.ErrorCode = error.ErrorCode;
    this.ErrorMessage = error.ErrorMessage;
    this.RequestId = error.RequestId;
  }
}

/** How a call was refused. Throws where it was not, and where it failed otherwise. */
export async function alibabaRefusalOf(call: Promise<unknown>): Promise<AlibabaRefusal> {
  try {
    await call;
  } catch (error) {
    if (error instanceof AlibabaRefusal) return error;
    throw error;
  }
  throw new Error('not refused');
}

const CONTENT_TYPE = 'application/x-protobuf';

/** A client of a server, which tries once. */
export function alibabaClient({ url, ca, keyId, privateKey }: AlibabaEndpoint): AlibabaClient {
  const post = poster(url, ca);
  const send = async (request: AlibabaRequest): Promise<AlibabaAnswer> => {
    const headers = signedHeaders(request, keyId, (text) =>
      signWith('sha256', Buffer.from(text), privateKey),
    );
    return answerOf(await post(headers, request));
  };
  return {
    send,
    call: async (name, fields) => {
      const answer = await send({ name, body: encode(`${name}Request`, fields) });
      if (answer.httpStatus !== 200) throw new AlibabaRefusal(answer.httpStatus, answer.error());
      return decode(`${name}Response`, answer.body) as unknown as Answers[typeof name];
    },
  };
}

/** The headers of a request, in the order in which they are sent. */
export function signedHeaders(
  {
    name,
    body,
    date = new Date(),
    headers: changes = {},
    unsigned = {},
    scheme = 'Bearer ',
    ...how
  }: AlibabaRequest,
  keyId: string,
  signWithKey: (text: string) => Buffer,
): Record<string, string> {
  const { sign = signWithKey } = how;
  const headers = change(
    {
      accept: CONTENT_TYPE,
      'content-type': CONTENT_TYPE,
      'content-sha256': createHash('sha256').update(body).digest('hex').toUpperCase(),
      date: date.toUTCString(),
      'x-kms-apiversion': 'dkms-gcs-0.2',
      'x-kms-apiname': name,
      'x-kms-signaturemethod': 'RSA_PKCS1_SHA_256',
      'x-kms-acccesskeyid': keyId,
    },
    changes,
  );
  const authorization = `${scheme}${sign(stringToSign(headers)).toString('base64')}`;
  return change({ ...headers, authorization }, unsigned);
}

function change(headers: Readonly<Record<string, string>>, changes: Changes): Record<string, string> {
  const given = Object.entries({ ...headers, ...changes });
  return Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** What is signed of a POST of `/`. */
export function stringToSign(headers: Readonly<Record<string, string>>): string {
  const named = ['content-sha256', 'content-type', 'date'].map((name) => headers[name] ?? '');
  const ofKms = Object.keys(headers)
    .filter((name) => name.startsWith('x-kms-'))
    .sort()
    .map((name) => `${name}:${headers[name]?.trim()}\n`);
  return `${['POST', ...named].join('\n')}\n${ofKms.join('')}/`;
}

type Post = (
  headers: Readonly<Record<string, string>>,
  request: Pick<AlibabaRequest, 'body' | 'chunked'>,
) => Promise<IncomingMessage>;

const CHUNK_BYTES = 64 * 1024;

function poster(url: string, ca: string | undefined): Post {
  const secure = new URL(url).protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true, ca }) : new HttpAgent({ keepAlive: true });
  atEnd(() => agent.destroy());
  const begin = secure ? httpsRequest : httpRequest;
  return async (headers, { body, chunked = false }) => {
    const length = chunked ? {} : { 'content-length': body.length };
    const outgoing = begin(url, { method: 'POST', agent, headers: { ...headers, ...length } });
    const step = chunked ? CHUNK_BYTES : body.length;
    for (let at = 0; at < body.length; at += step) outgoing.write(body.subarray(at, at + step));
    outgoing.end();
    const [incoming] = await once(outgoing, 'response');
    // A server that refuses a long body may not wait for its end.
    outgoing.on('error', () => undefined);
    return incoming as IncomingMessage;
  };
}

/** Reads an answer to its end. */
export async function answerOf(incoming: IncomingMessage): Promise<AlibabaAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const error = () => decode('Error', body) as unknown as ErrorFields;
  return { httpStatus: incoming.statusCode ?? 0, headers: incoming.headers, body, error };
}
