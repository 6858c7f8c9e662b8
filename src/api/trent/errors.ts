import { KmsError, type KmsErrorCode } from '../../errors';

/** An error as a client of TrentService sees it. */
export interface TrentError {
  /** AWS's name of the exception. */
  readonly type: string;
  readonly status: number;
  readonly message: string;
}

/** AWS's name and status for every domain error. */
const EXCEPTIONS: Record<KmsErrorCode, { readonly type: string; readonly status: number }> = {
  INVALID_REQUEST: { type: 'ValidationException', status: 400 },
  INVALID_ALIAS_NAME: { type: 'InvalidAliasNameException', status: 400 },
  INVALID_ARN: { type: 'InvalidArnException', status: 400 },
  INVALID_MARKER: { type: 'InvalidMarkerException', status: 400 },
  NOT_FOUND: { type: 'NotFoundException', status: 400 },
  ALIAS_NOT_FOUND: { type: 'NotFoundException', status: 400 },
  ALREADY_EXISTS: { type: 'AlreadyExistsException', status: 400 },
  LIMIT_EXCEEDED: { type: 'LimitExceededException', status: 400 },
  CONFLICT: { type: 'ConflictException', status: 400 },
  INVALID_TAG: { type: 'TagException', status: 400 },
  MALFORMED_POLICY: { type: 'MalformedPolicyDocumentException', status: 400 },
  INVALID_GRANT_ID: { type: 'InvalidGrantIdException', status: 400 },
  INVALID_GRANT_TOKEN: { type: 'InvalidGrantTokenException', status: 400 },
  UNRECOGNIZED_CLIENT: { type: 'UnrecognizedClientException', status: 400 },
  ACCESS_DENIED: { type: 'AccessDeniedException', status: 400 },
  DISABLED: { type: 'DisabledException', status: 400 },
  INVALID_STATE: { type: 'KMSInvalidStateException', status: 400 },
  INVALID_KEY_USAGE: { type: 'InvalidKeyUsageException', status: 400 },
  INCORRECT_KEY: { type: 'IncorrectKeyException', status: 400 },
  INVALID_CIPHERTEXT: { type: 'InvalidCiphertextException', status: 400 },
  CIPHERTEXT_KEY_OUT_OF_REACH: { type: 'AccessDeniedException', status: 400 },
  UNSUPPORTED_OPERATION: { type: 'UnsupportedOperationException', status: 400 },
  DRY_RUN: { type: 'DryRunOperationException', status: 400 },
  KEY_UNAVAILABLE: { type: 'KeyUnavailableException', status: 500 },
  TOKEN_TIMEOUT: { type: 'DependencyTimeoutException', status: 500 },
  THROTTLED: { type: 'ThrottlingException', status: 400 },
  AUDIT_UNAVAILABLE: { type: 'KMSInternalException', status: 500 },
  INTERNAL: { type: 'KMSInternalException', status: 500 },
};

/** An error of the protocol itself, before a request reaches the domain. */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError';

  constructor(
    readonly type: string,
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The body is not what the operation's request looks like in JSON. */
export class SerializationError extends ProtocolError {
  override readonly name = 'SerializationError';

  constructor(message: string) {
    super('SerializationException', 400, message);
  }
}

/**
 * The one way out for errors. What was written for clients goes to the client; of anything else it learns
 * the request's id, under which the log has the rest.
 */
export function toTrentError(error: unknown, requestId: string): TrentError {
  if (error instanceof ProtocolError) return error;
  if (error instanceof KmsError && error.code !== 'INTERNAL') {
    return { ...EXCEPTIONS[error.code], message: error.message };
  }
  return {
    ...EXCEPTIONS.INTERNAL,
    message: `The request was rejected because an internal error occurred. Request id: ${requestId}`,
  };
}
