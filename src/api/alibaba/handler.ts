import type { IncomingHttpHeaders } from 'node:http';
import type { Kms } from '../../kms/kms';
import type { Authenticated } from '../caller';
import { isMediaType } from '../media-type';
import type { Protocol, ProtocolAnswer, ProtocolRequest, RequestHead } from '../protocol';
import type { Quota } from '../quota';
import { callOf, recordOf, type Trail } from '../trail';
import { type Auth, assertSignedBody, authenticate } from './authenticate';
import { invalidApiName, invalidApiVersion, reasonOf, refusal, toAlibabaError } from './errors';
import type { KeyPairLimit } from './key-pair-limit';
import { encodeMessage } from './messages';
import type { Operation } from './operation';
import { OPERATIONS, UNSUPPORTED } from './operations';

const CONTENT_TYPE = 'application/x-protobuf';
const API_VERSION = 'dkms-gcs-0.2';
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** What anybody may send, before it is known who it is. */
const MAX_STRANGERS_BODY_BYTES = 256 * 1024;

/** What the handler asks before an operation runs. */
export interface Admission {
  readonly auth: Auth;
  readonly quota: Quota;
  readonly keyPairLimit: KeyPairLimit;
}

/**
 * Whether a request is one of Alibaba's protocol, good or bad: by its type or its headers, unless it says that it is
 * TrentService's.
 */
export function speaksAlibaba(headers: IncomingHttpHeaders): boolean {
  if (isContentType(headers)) return true;
  return !headers['x-amz-target'] && Object.keys(headers).some((name) => name.startsWith('x-kms-'));
}

/** Alibaba's KMS instance API, protobuf. */
export function alibaba(kms: Kms, admission: Admission): Protocol {
  const authenticated = authenticatedOnce(kms, admission);
  const crowdedOut = new WeakSet<RequestHead['rawHeaders']>();
  return {
    name: 'alibaba',
    bodyLimit: (head) => bodyLimit(authenticated, crowdedOut, head),
    async answer(request) {
      const trail: Trail = { operation: labelOf(request) };
      try {
        return succeeded(
          trail,
          await carryOut({ kms, admission, authenticated, crowdedOut }, request, trail),
        );
      } catch (error) {
        return failed(request.id, trail, error);
      }
    },
    operationOf: labelOf,
    refuse: (request, error) => failed(request.id, { operation: labelOf(request) }, error),
  };
}

type Authenticate = (head: RequestHead) => Promise<Authenticated>;

/** A long body has its request authenticated before it is read; what came of that is kept until it is answered. */
function authenticatedOnce(kms: Kms, { auth }: Admission): Authenticate {
  const outcomes = new WeakMap<RequestHead['rawHeaders'], Promise<Authenticated>>();
  return (head) => {
    const outcome = outcomes.get(head.rawHeaders) ?? authenticate(kms, auth, head);
    outcomes.set(head.rawHeaders, outcome);
    return outcome;
  };
}

interface Handler {
  readonly kms: Kms;
  readonly admission: Admission;
  readonly authenticated: Authenticate;
  /** By their headers: requests whose long bodies there is no room for. */
  readonly crowdedOut: WeakSet<RequestHead['rawHeaders']>;
}

async function carryOut(
  { kms, admission: { auth, quota, keyPairLimit }, authenticated, crowdedOut }: Handler,
  request: ProtocolRequest,
  trail: Trail,
): Promise<Buffer> {
  const { headers, body } = request;
  if (!isContentType(headers)) throw refusal('InvalidContentType', `Content-Type must be ${CONTENT_TYPE}`);
  // Whoever sends it: what it announces will never be read.
  if (lengthOf(request) > MAX_BODY_BYTES) throw tooLong();
  const { principal, accessKeyId } = await authenticated(request);
  trail.principal = principal.identity.arn;
  if (accessKeyId !== undefined) trail.accessKeyId = accessKeyId;
  quota.take(principal.identity.arn, trail.operation);
  if (crowdedOut.has(request.rawHeaders)) throw refusal('Throttling', 'too many long bodies at a time');
  if (!body) throw tooLong();
  assertSignedBody(auth, request, body);
  const operation = operationOf(headers);
  const call = callOf(request, operation.name, principal);
  trail.call = call;
  const run = () => operation.run(kms, call, body);
  return operation.makesKeyPair ? keyPairLimit(run) : run();
}

/** Long bodies are only read of those whose signature fits: it is of the headers, and they name the body's digest. */
async function bodyLimit(
  authenticated: Authenticate,
  crowdedOut: Handler['crowdedOut'],
  head: RequestHead,
): Promise<number> {
  if (lengthOf(head) <= MAX_STRANGERS_BODY_BYTES) return MAX_STRANGERS_BODY_BYTES;
  try {
    await authenticated(head);
  } catch {
    // It will be answered with that, however long the body is.
    return MAX_STRANGERS_BODY_BYTES;
  }
  if (head.takeLongBody()) return MAX_BODY_BYTES;
  crowdedOut.add(head.rawHeaders);
  return MAX_STRANGERS_BODY_BYTES;
}

/** Not a number where it comes in chunks. */
const lengthOf = ({ headers }: RequestHead): number => Number(headers['content-length']);

const tooLong = () => refusal('BodyTooLong', 'the body is longer than 3 MiB');

const isContentType = (headers: IncomingHttpHeaders): boolean =>
  isMediaType(headers['content-type'], CONTENT_TYPE);

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

function succeeded(trail: Trail, body: Buffer): ProtocolAnswer {
  return { status: 200, contentType: CONTENT_TYPE, body, record: recordOf(trail, 'ok') };
}

function failed(requestId: string, trail: Trail, error: unknown): ProtocolAnswer {
  const { status, code, message, outcome = code } = toAlibabaError(error);
  const body = encodeMessage('Error', {
    StatusCode: status,
    ErrorCode: code,
    ErrorMessage: message,
    RequestId: requestId,
  });
  const cause = status >= 500 ? { error } : { reason: reasonOf(error) };
  return { status, contentType: CONTENT_TYPE, body, record: { ...recordOf(trail, outcome), ...cause } };
}
