import { type AlibabaAnswer, alibabaRefusalOf } from './alibaba-client';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a refusal says besides the request's id. */
export type Told = readonly [status: number, code: string, message: string];

/** The answer is one of protobuf's `Error`, and says this. */
export function expectTold(answer: AlibabaAnswer, [status, code, message]: Told): void {
  const error = answer.error();
  expect({ ...error, httpStatus: answer.httpStatus }).toEqual({
    StatusCode: status,
    ErrorCode: code,
    ErrorMessage: message,
    RequestId: expect.stringMatching(UUID),
    httpStatus: status,
  });
  expect(answer.headers['content-type']).toBe('application/x-protobuf');
  expect(answer.headers['x-amzn-requestid']).toBe(error.RequestId);
}

/** How a call was refused: both ends of an answer say the same status. */
export async function toldBy(call: Promise<unknown>): Promise<Told> {
  const { httpStatus, StatusCode, ErrorCode, ErrorMessage, RequestId } = await alibabaRefusalOf(call);
  expect(StatusCode).toBe(httpStatus);
  expect(RequestId).toMatch(UUID);
  return [httpStatus, ErrorCode, ErrorMessage];
}

export const TOLD = {
  invalidDate: [400, 'InvalidParam', 'The Param Date is invalid.'],
  skewed: [400, 'RequestTimeTooSkewed', 'Request time exceeds server time more than 15 minutes.'],
  invalidParameter: [400, 'InvalidParameter', 'The specified parameter is not valid.'],
  unsupported: [400, 'UnsupportedOperation', 'Rejected.UnsupportedOperation'],
  noMatch: [401, 'SignatureNotMatch', 'Signature is not matched.'],
  noPermission: [403, 'Forbidden.NoPermission', 'This operation is forbidden by permission system.'],
  noClientKey: [
    404,
    'InvalidAccessKeyId.NotFound',
    'The AccessKey ID provided does not exist in our records.',
  ],
  noKey: [404, 'Forbidden.KeyNotFound', 'The specified Key is not found.'],
  noAlias: [404, 'Forbidden.AliasNotFound', 'The specified Alias is not found.'],
  disabled: [409, 'Rejected.Disabled', 'The request was rejected because the key state is Disabled.'],
  pendingDeletion: [
    409,
    'Rejected.PendingDeletion',
    'The request was rejected because the key state is PendingDeletion.',
  ],
  tooLong: [413, '', ''],
  contentType: [415, 'InvalidContentType', 'The ContentType is invalid.'],
  throttled: [429, 'Rejected.Throttling', 'Concurrency Limit Exceeded.'],
  failure: [500, 'InternalFailure', 'Internal Failure.'],
  unavailable: [503, 'ServiceUnavailableTemporary', 'Service Unavailable Temporary.'],
} as const satisfies Record<string, Told>;

export const missing = (name: string): Told => [
  400,
  'MissingParameter',
  `Parameter ${name} does not exist in http header or body.`,
];
export const invalidApiName = (name: string): Told => [
  400,
  'InvalidApiName',
  `The ApiName "${name}" is invalid.`,
];
export const invalidApiVersion = (version: string): Told => [
  400,
  'InvalidApiVersion',
  `The ApiVersion "${version}" is invalid.`,
];
