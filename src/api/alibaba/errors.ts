import { KmsError, type KmsErrorCode } from '../../errors';

/** An error as a client of the Alibaba KMS instance API sees it: the fields of the message `Error`. */
export interface AlibabaError {
  /** Also the HTTP status. */
  readonly status: number;
  /** Empty where Alibaba documents none. */
  readonly code: string;
  readonly message: string;
  /** What the log and the metrics call it, where there is no code. */
  readonly outcome?: string;
}

/**
 * Alibaba's documented answers: code, status and message go together. A client learns no more than they say; what
 * exactly was wrong stands in the log.
 *
 * Source: https://www.alibabacloud.com/help/en/kms/key-management-service/developer-reference/common-error-codes-1
 */
const ANSWERS = {
  InvalidParameter: answer(400, 'InvalidParameter', 'The specified parameter is not valid.'),
  UnsupportedOperation: answer(400, 'UnsupportedOperation', 'Rejected.UnsupportedOperation'),
  RequestTimeTooSkewed: answer(
    400,
    'RequestTimeTooSkewed',
    'Request time exceeds server time more than 15 minutes.',
  ),
  SignatureNotMatch: answer(401, 'SignatureNotMatch', 'Signature is not matched.'),
  NoPermission: answer(403, 'Forbidden.NoPermission', 'This operation is forbidden by permission system.'),
  AccessKeyNotFound: answer(
    404,
    'InvalidAccessKeyId.NotFound',
    'The AccessKey ID provided does not exist in our records.',
  ),
  KeyNotFound: answer(404, 'Forbidden.KeyNotFound', 'The specified Key is not found.'),
  AliasNotFound: answer(404, 'Forbidden.AliasNotFound', 'The specified Alias is not found.'),
  Disabled: answer(409, 'Rejected.Disabled', 'The request was rejected because the key state is Disabled.'),
  PendingDeletion: answer(
    409,
    'Rejected.PendingDeletion',
    'The request was rejected because the key state is PendingDeletion.',
  ),
  BodyTooLong: { ...answer(413, '', ''), outcome: 'RequestEntityTooLarge' },
  InvalidContentType: answer(415, 'InvalidContentType', 'The ContentType is invalid.'),
  Throttling: answer(429, 'Rejected.Throttling', 'Concurrency Limit Exceeded.'),
  InternalFailure: answer(500, 'InternalFailure', 'Internal Failure.'),
  ServiceUnavailable: answer(503, 'ServiceUnavailableTemporary', 'Service Unavailable Temporary.'),
} as const satisfies Record<string, AlibabaError>;

export type AnswerName = keyof typeof ANSWERS;

function answer(status: number, code: string, message: string): AlibabaError {
  return { status, code, message };
}

/** Alibaba's answer to every domain error. */
const BY_CODE: Record<KmsErrorCode, AnswerName> = {
  INVALID_REQUEST: 'InvalidParameter',
  INVALID_ALIAS_NAME: 'InvalidParameter',
  INVALID_ARN: 'InvalidParameter',
  INVALID_MARKER: 'InvalidParameter',
  NOT_FOUND: 'KeyNotFound',
  ALIAS_NOT_FOUND: 'AliasNotFound',
  ALREADY_EXISTS: 'InvalidParameter',
  // The initial version of a key has encrypted as often as it may: only the Advance operations go on.
  LIMIT_EXCEEDED: 'UnsupportedOperation',
  CONFLICT: 'InvalidParameter',
  INVALID_TAG: 'InvalidParameter',
  MALFORMED_POLICY: 'InvalidParameter',
  INVALID_GRANT_ID: 'InvalidParameter',
  INVALID_GRANT_TOKEN: 'InvalidParameter',
  UNRECOGNIZED_CLIENT: 'AccessKeyNotFound',
  ACCESS_DENIED: 'NoPermission',
  DISABLED: 'Disabled',
  INVALID_STATE: 'PendingDeletion',
  INVALID_KEY_USAGE: 'UnsupportedOperation',
  INCORRECT_KEY: 'InvalidParameter',
  INVALID_CIPHERTEXT: 'InvalidParameter',
  CIPHERTEXT_KEY_OUT_OF_REACH: 'NoPermission',
  UNSUPPORTED_OPERATION: 'UnsupportedOperation',
  DRY_RUN: 'InvalidParameter',
  KEY_UNAVAILABLE: 'ServiceUnavailable',
  TOKEN_TIMEOUT: 'ServiceUnavailable',
  THROTTLED: 'Throttling',
  AUDIT_UNAVAILABLE: 'ServiceUnavailable',
  INTERNAL: 'InternalFailure',
};

/** These say more than the documented words, because the client has to choose another operation. */
const SPOKEN: readonly KmsErrorCode[] = ['UNSUPPORTED_OPERATION', 'LIMIT_EXCEEDED', 'INVALID_KEY_USAGE'];

/** Of the domain's errors, those whose messages quote nothing of the request: the log may have them. */
const LOGGED: readonly KmsErrorCode[] = [
  ...SPOKEN,
  'UNRECOGNIZED_CLIENT',
  'THROTTLED',
  'INVALID_CIPHERTEXT',
  'INCORRECT_KEY',
  'CIPHERTEXT_KEY_OUT_OF_REACH',
];

/** An error of the protocol itself, before a request reaches the domain. Its message is for the log. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';

  constructor(
    readonly answer: AlibabaError,
    reason: string,
  ) {
    super(reason);
  }
}

/**
 * One of the documented answers.
 *
 * @param reason what exactly was wrong, for the log; nothing secret
 */
export function refusal(name: AnswerName, reason: string): ProtocolError {
  return new ProtocolError(ANSWERS[name], reason);
}

/** @param value as the request has it; quoted in the answer, as Alibaba does */
export const invalidApiName = (value: string): ProtocolError =>
  invalid('InvalidApiName', `The ApiName "${value}" is invalid.`, 'x-kms-apiname names no operation');

/** @param value as the request has it; quoted in the answer, as Alibaba does */
export const invalidApiVersion = (value: string): ProtocolError =>
  invalid(
    'InvalidApiVersion',
    `The ApiVersion "${value}" is invalid.`,
    'x-kms-apiversion is not the one there is',
  );

/**
 * @param name of the header, as Alibaba writes it
 * @param value where there is one, and it is not taken
 */
export const invalidParam = (name: string, value?: string): ProtocolError =>
  invalid(
    'InvalidParam',
    `The Param ${name} is invalid.${value === undefined ? '' : ` message:"${value}".`}`,
    `the header ${name} is ${value === undefined ? 'missing or malformed' : 'not one that is taken'}`,
  );

export const missingParameter = (name: string): ProtocolError =>
  invalid('MissingParameter', `Parameter ${name} does not exist in http header or body.`);

const invalid = (code: string, message: string, reason = message) =>
  new ProtocolError(answer(400, code, message), reason);

/** The one way out for errors. Of what was not foreseen a client learns nothing. */
export function toAlibabaError(error: unknown): AlibabaError {
  if (error instanceof ProtocolError) return error.answer;
  if (!(error instanceof KmsError)) return ANSWERS.InternalFailure;
  const documented = ANSWERS[BY_CODE[error.code]];
  if (!SPOKEN.includes(error.code)) return documented;
  return { ...documented, message: `${documented.message}: ${error.message}` };
}

/** What the log says of a request that was refused: nothing that it sent, because a plaintext may have got anywhere. */
export function reasonOf(error: unknown): string | undefined {
  if (error instanceof ProtocolError) return error.message;
  if (!(error instanceof KmsError && LOGGED.includes(error.code))) return undefined;
  // What a ciphertext's refusal does not tell.
  return typeof error.cause === 'string' ? error.cause : error.message;
}
