import { isUtf8 } from 'node:buffer';
import type { Call, Kms } from '../../kms/kms';
import type { Protocol, ProtocolAnswer } from '../protocol';
import { ProtocolError, SerializationError, toTrentError } from './errors';
import type { Operation } from './operation';
import { OPERATIONS } from './operations';
import type { Body } from './validate';
import { conversionFault } from './wording';

const CONTENT_TYPE = 'application/x-amz-json-1.1';

/** TrentService, AWS JSON 1.1: the protocol of AWS KMS and QKMS. */
export const trent =
  (kms: Kms): Protocol =>
  async (request) => {
    const operation = OPERATIONS.get(String(request.headers['x-amz-target']));
    const call: Call = {
      requestId: request.id,
      operation: operation?.name ?? 'unknown',
      tokenMs: 0,
      isGone: request.isGone,
    };
    try {
      if (!request.body) throw tooLong();
      if (!operation) throw unknownOperation();
      assertContentType(request.headers['content-type']);
      const answer: unknown = await operation.run(kms, call, parse(request.body));
      return succeeded(operation, call, answer);
    } catch (error) {
      return failed(operation, call, error);
    }
  };

const tooLong = () =>
  new ProtocolError('RequestEntityTooLargeException', 413, 'The request is longer than 256 KiB.');

const unknownOperation = () =>
  new ProtocolError('UnknownOperationException', 400, 'X-Amz-Target names no operation of this service.');

/** Parameters (`;charset=utf-8`) are tolerated. */
function assertContentType(value = ''): void {
  if (value === CONTENT_TYPE || value.split(';', 1)[0]?.trim().toLowerCase() === CONTENT_TYPE) return;
  throw new SerializationError(`Content-Type must be ${CONTENT_TYPE}.`);
}

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

function succeeded({ name }: Operation, { keyId, tokenMs }: Call, answer: unknown): ProtocolAnswer {
  return {
    status: 200,
    contentType: CONTENT_TYPE,
    body: answer === undefined ? '' : JSON.stringify(answer),
    record: { operation: name, outcome: 'ok', keyId, tokenMs },
  };
}

function failed(
  operation: Operation | undefined,
  { keyId, tokenMs, requestId }: Call,
  error: unknown,
): ProtocolAnswer {
  const { type, status, message } = toTrentError(error, requestId);
  return {
    status,
    contentType: CONTENT_TYPE,
    body: JSON.stringify({ __type: type, message }),
    record: {
      operation: operation?.name ?? 'unknown',
      outcome: type,
      keyId,
      tokenMs,
      ...(status >= 500 && { error }),
    },
  };
}
