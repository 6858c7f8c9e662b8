import type { ErrorObject, ValidateFunction } from 'ajv';
import { KmsError } from '../../errors';
import { SerializationError } from './errors';
import { ajv, dropNulls } from './keywords';
import type { Schema } from './schema';
import { constraintFault, conversionFault, invalidRequest, typeOfMember } from './wording';

/** No schema can break more constraints at once; should one, the rest is not listed. */
const MAX_FAULTS = 20;

/** A JSON object as it came. It is the validator's: blobs in it become Buffers, maps become Maps. */
export type Body = Record<string, unknown>;

/**
 * Makes of a schema a function that turns a body into a request, or throws: SerializationError where a
 * type is wrong, INVALID_REQUEST with all broken constraints, UNSUPPORTED_OPERATION for what the API has
 * and p11kms has not. The schema is compiled for the first body: all schemas together take a fifth of a second, which
 * a start would have to wait for.
 */
export function validator<T>(schema: Schema<T>): (body: Body) => T {
  let compiled: ValidateFunction<T> | undefined;
  return (body) => {
    compiled ??= ajv.compile<T>(schema);
    const check = compiled;
    dropNulls(schema, body);
    const request: unknown = body;
    if (check(request)) return request;
    throw refusal((check.errors ?? []).flatMap(faultsOf));
  };
}

/** A list is at fault where an item of it is. */
const faultsOf = (error: ErrorObject): readonly ErrorObject[] =>
  error.keyword === 'listOf' ? error.params.faults : [error];

function refusal(errors: readonly ErrorObject[]): Error {
  const malformed = errors.find(({ keyword }) => keyword === 'type' || keyword === 'malformed');
  if (malformed) {
    const { keyword, message, data } = malformed;
    return new SerializationError(
      keyword === 'type' ? conversionFault(data, typeOfMember(malformed)) : String(message),
    );
  }
  const broken = errors.filter(({ keyword }) => keyword !== 'unsupported');
  if (broken.length > 0) return invalidRequest(broken.slice(0, MAX_FAULTS).map(constraintFault));
  return new KmsError('UNSUPPORTED_OPERATION', errors.map(({ message }) => message).join(' '));
}
