import { isUtf8 } from 'node:buffer';
import type { Kms } from '../../kms/kms';
import { isMediaType } from '../media-type';
import type { Protocol, ProtocolAnswer, ProtocolRequest } from '../protocol';
import type { Quota } from '../quota';
import { callOf, recordOf, type Trail } from '../trail';
import { type Authentication, authenticate } from './authenticate';
import { ProtocolError, SerializationError, toTrentError } from './errors';
import type { Operation } from './operation';
import { OPERATIONS } from './operations';
import type { Body } from './validate';
import { conversionFault } from './wording';

const CONTENT_TYPE = 'application/x-amz-json-1.1';
const MAX_BODY_BYTES = 256 * 1024;

/** What the handler asks before an operation runs. */
export interface Admission extends Authentication {
  readonly quota: Quota;
}

/** TrentService, AWS JSON 1.1: the protocol of AWS KMS and QKMS. */
export function trent(kms: Kms, admission: Admission): Protocol {
  return {
    name: 'trent',
    bodyLimit: () => MAX_BODY_BYTES,
    async answer(request) {
      const operation = operationOf(request);
      const trail: Trail = { operation: nameOf(operation) };
      try {
        const { body } = request;
        if (!body) throw tooLong();
        const { principal, accessKeyId } = await authenticate(kms, admission, { ...request, body });
        trail.principal = principal.identity.arn;
        if (accessKeyId !== undefined) trail.accessKeyId = accessKeyId;
        admission.quota.take(principal.identity.arn, trail.operation);
        if (!operation) throw unknownOperation();
        if (!isMediaType(request.headers['content-type'], CONTENT_TYPE)) throw wrongType();
        trail.call = callOf(request, operation.name, principal);
        const answer: unknown = await operation.run(kms, trail.call, parse(body));
        return succeeded(trail, answer);
      } catch (error) {
        return failed(request.id, trail, error);
      }
    },
    operationOf: (request) => nameOf(operationOf(request)),
    refuse: (request, error) => failed(request.id, { operation: nameOf(operationOf(request)) }, error),
  };
}

const nameOf = (operation: Operation | undefined): string => operation?.name ?? 'unknown';

function operationOf({ headers }: Pick<ProtocolRequest, 'headers'>): Operation | undefined {
  return OPERATIONS.get(String(headers['x-amz-target']));
}

const tooLong = () =>
  new ProtocolError('RequestEntityTooLargeException', 413, 'The request is longer than 256 KiB.');

const wrongType = () => new SerializationError(`Content-Type must be ${CONTENT_TYPE}.`);

const unknownOperation = () =>
  new ProtocolError('UnknownOperationException', 400, 'X-Amz-Target names no operation of this service.');

function parse(body: Buffer): Body {
  if (!isUtf8(body)) throw new SerializationError('The request is not UTF-8.');
  let members: unknown;
  try {
    members = JSON.parse(body.toString('utf8'));
  } catch {
    // Without its cause: a SyntaxError quotes the body.
    throw new SerializationError('The request is not JSON.');
  }
  if (isObject(members)) return members;
  throw new SerializationError(conversionFault(members, 'structure'));
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function succeeded(trail: Trail, answer: unknown): ProtocolAnswer {
  return {
    status: 200,
    contentType: CONTENT_TYPE,
    body: answer === undefined ? '' : JSON.stringify(answer),
    record: recordOf(trail, 'ok'),
  };
}

function failed(requestId: string, trail: Trail, error: unknown): ProtocolAnswer {
  const { type, status, message } = toTrentError(error, requestId);
  return {
    status,
    contentType: CONTENT_TYPE,
    body: JSON.stringify({ __type: type, message }),
    record: { ...recordOf(trail, type), ...(status >= 500 && { error }) },
  };
}
