import type { IncomingHttpHeaders } from 'node:http';
import type { Call, Kms } from '../../kms/kms';
import type { Principal } from '../../kms/principal-directory';
import type { Protocol, ProtocolAnswer, ProtocolRequest, RequestHead, RequestRecord } from '../protocol';
import type { Quota } from '../quota';
import { assertSignedBody, authenticate } from './authenticate';
import { invalidApiName, invalidApiVersion, refusal, toAlibabaError } from './errors';
import type { KeyPairLimit } from './key-pair-limit';
import { encodeMessage } from './messages';
import type { Operation } from './operation';
import { OPERATIONS, UNSUPPORTED } from './operations';

const CONTENT_TYPE = 'application/x-protobuf';
const API_VERSION = 'dkms-gcs-0.2';
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** What anybody may send, before it is known who it is. */
const MAX_STRANGERS_BODY_BYTES = 256 * 1024;
const KEY_PAIR = /KeyPair/;

/** What the handler asks before an operation runs. */
export interface Admission {
  /** `none`: whoever can connect is the root principal. */
  readonly auth: 'signature' | 'none';
  readonly quota: Quota;
  readonly keyPairLimit: KeyPairLimit;
}

/** What is known of a request while it is on its way. */
interface Trail {
  readonly operation: string;
  principal?: string;
  accessKeyId?: string;
  call?: Call;
}

/** Whether a request is one of Alibaba's protocol, good or bad: TrentService has neither the type nor such headers. */
export function speaksAlibaba(headers: IncomingHttpHeaders): boolean {
  return isContentType(headers) || Object.keys(headers).some((name) => name.startsWith('x-kms-'));
}

/** Alibaba's KMS instance API, protobuf. */
export function alibaba(kms: Kms, admission: Admission): Protocol {
  return {
    name: 'alibaba',
    bodyLimit: (head) => bodyLimit(kms, admission, head),
    async answer(request) {
      const trail: Trail = { operation: labelOf(request) };
      try {
        return succeeded(trail, await serve(kms, admission, request, trail));
      } catch (error) {
        return failed(request.id, trail, error);
      } finally {
        // There may be a plaintext in it.
        request.body?.fill(0);
      }
    },
    operationOf: labelOf,
    refuse: (request, error) => failed(request.id, { operation: labelOf(request) }, error),
  };
}

async function serve(
  kms: Kms,
  { auth, quota, keyPairLimit }: Admission,
  request: ProtocolRequest,
  trail: Trail,
): Promise<Buffer> {
  const { headers, body } = request;
  if (!isContentType(headers)) throw refusal('InvalidContentType', `Content-Type must be ${CONTENT_TYPE}`);
  const { principal, accessKeyId } = await authenticate(kms, auth, request);
  trail.principal = principal.identity.arn;
  if (accessKeyId !== undefined) trail.accessKeyId = accessKeyId;
  quota.take(principal.identity.arn, trail.operation);
  if (!body) throw refusal('BodyTooLong', 'the body is longer than 3 MiB');
  assertSignedBody(auth, request, body);
  const operation = operationOf(headers);
  const call = callOf(request, operation, principal);
  trail.call = call;
  const run = () => operation.run(kms, call, body);
  return KEY_PAIR.test(operation.name) ? keyPairLimit(run) : run();
}

/** Long bodies are only read of those whose signature fits: it is of the headers, and they name the body's digest. */
async function bodyLimit(kms: Kms, { auth }: Admission, head: RequestHead): Promise<number> {
  // Not a number where it comes in chunks.
  if (Number(head.headers['content-length']) <= MAX_STRANGERS_BODY_BYTES) return MAX_STRANGERS_BODY_BYTES;
  try {
    await authenticate(kms, auth, head);
    return MAX_BODY_BYTES;
  } catch {
    // It will be refused for that.
    return MAX_STRANGERS_BODY_BYTES;
  }
}

/** Parameters (`;charset=utf-8`) are tolerated. */
function isContentType({ 'content-type': value = '' }: IncomingHttpHeaders): boolean {
  return value.split(';', 1)[0]?.trim().toLowerCase() === CONTENT_TYPE;
}

/** One of a closed set. */
function labelOf({ headers }: Pick<RequestHead, 'headers'>): string {
  const name = headerOf(headers, 'x-kms-apiname');
  return OPERATIONS.has(name) || UNSUPPORTED.has(name) ? name : 'unknown';
}

function operationOf(headers: IncomingHttpHeaders): Operation {
  const version = headerOf(headers, 'x-kms-apiversion');
  if (version !== API_VERSION) throw invalidApiVersion(version);
  const name = headerOf(headers, 'x-kms-apiname');
  const operation = OPERATIONS.get(name);
  if (operation) return operation;
  const why = UNSUPPORTED.get(name);
  throw why === undefined ? invalidApiName(name) : refusal('UnsupportedOperation', why);
}

const headerOf = (headers: IncomingHttpHeaders, name: string): string => String(headers[name] ?? '');

const callOf = ({ id, source, isGone }: ProtocolRequest, { name }: Operation, caller: Principal): Call => ({
  requestId: id,
  operation: name,
  caller,
  source,
  tokenMs: 0,
  isGone,
});

function succeeded(trail: Trail, body: Buffer): ProtocolAnswer {
  return { status: 200, contentType: CONTENT_TYPE, body, record: recordOf(trail, 'ok') };
}

function failed(requestId: string, trail: Trail, error: unknown): ProtocolAnswer {
  const { status, code, message } = toAlibabaError(error);
  const body = encodeMessage('Error', {
    StatusCode: status,
    ErrorCode: code,
    ErrorMessage: message,
    RequestId: requestId,
  });
  const outcome = code === '' ? 'RequestEntityTooLarge' : code;
  const cause = status >= 500 ? { error } : { reason: error instanceof Error ? error.message : undefined };
  return { status, contentType: CONTENT_TYPE, body, record: { ...recordOf(trail, outcome), ...cause } };
}

function recordOf({ operation, principal, accessKeyId, call }: Trail, outcome: string): RequestRecord {
  const { keyId, wrapping, denied, tokenMs = 0 } = call ?? {};
  return { operation, outcome, principal, accessKeyId, keyId, wrapping, denied, tokenMs };
}
