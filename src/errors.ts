/**
 * Everything that can go wrong for a reason p11kms knows. A closed set: each protocol maps every code
 * in a total record, so that a new code does not compile until each protocol has an answer to it.
 */
export type KmsErrorCode =
  | 'INVALID_REQUEST'
  | 'INVALID_ALIAS_NAME'
  | 'INVALID_ARN'
  | 'INVALID_MARKER'
  | 'NOT_FOUND'
  | 'ALIAS_NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'LIMIT_EXCEEDED'
  | 'CONFLICT'
  | 'INVALID_TAG'
  | 'MALFORMED_POLICY'
  | 'INVALID_GRANT_ID'
  | 'INVALID_GRANT_TOKEN'
  | 'ACCESS_DENIED'
  | 'UNRECOGNIZED_CLIENT'
  | 'DISABLED'
  | 'INVALID_STATE'
  | 'INVALID_KEY_USAGE'
  | 'INCORRECT_KEY'
  | 'INVALID_CIPHERTEXT'
  | 'CIPHERTEXT_KEY_OUT_OF_REACH'
  | 'UNSUPPORTED_OPERATION'
  | 'DRY_RUN'
  | 'KEY_UNAVAILABLE'
  | 'TOKEN_TIMEOUT'
  | 'THROTTLED'
  | 'AUDIT_UNAVAILABLE'
  | 'INTERNAL';

/**
 * A domain error. Its message is written for the client and may be sent to it; what only the operator
 * may see (the token's return code, the function that failed) goes into `cause`, which is logged.
 */
export class KmsError extends Error {
  override readonly name = 'KmsError';

  constructor(
    readonly code: KmsErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Exit codes of the command line (sysexits.h: 78 is EX_CONFIG). `differs`: store and token know different keys. */
export const EXIT = { failed: 1, differs: 3, pinRefused: 78 } as const;

/** Why p11kms will not start: one line that tells the operator what to do, and the process's exit code. */
export class StartError extends Error {
  override readonly name = 'StartError';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
