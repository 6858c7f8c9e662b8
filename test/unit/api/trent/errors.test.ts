import { KmsError, type KmsErrorCode } from '../../../../src/errors';
import * as keys from '../../../../src/kms/keys';
import { bodyOf, call, KEY_ID, REQUEST_ID, ROOT_ARN } from '../support';

jest.mock('../../../../src/kms/keys');

/** The names and statuses that AWS documents. */
const EXCEPTIONS: Record<KmsErrorCode, [type: string, status: number]> = {
  INVALID_REQUEST: ['ValidationException', 400],
  INVALID_ALIAS_NAME: ['InvalidAliasNameException', 400],
  INVALID_ARN: ['InvalidArnException', 400],
  INVALID_MARKER: ['InvalidMarkerException', 400],
  NOT_FOUND: ['NotFoundException', 400],
  ALIAS_NOT_FOUND: ['NotFoundException', 400],
  ALREADY_EXISTS: ['AlreadyExistsException', 400],
  LIMIT_EXCEEDED: ['LimitExceededException', 400],
  CONFLICT: ['ConflictException', 400],
  INVALID_TAG: ['TagException', 400],
  MALFORMED_POLICY: ['MalformedPolicyDocumentException', 400],
  INVALID_GRANT_ID: ['InvalidGrantIdException', 400],
  INVALID_GRANT_TOKEN: ['InvalidGrantTokenException', 400],
  ACCESS_DENIED: ['AccessDeniedException', 400],
  UNRECOGNIZED_CLIENT: ['UnrecognizedClientException', 400],
  DISABLED: ['DisabledException', 400],
  INVALID_STATE: ['KMSInvalidStateException', 400],
  INVALID_KEY_USAGE: ['InvalidKeyUsageException', 400],
  INCORRECT_KEY: ['IncorrectKeyException', 400],
  INVALID_CIPHERTEXT: ['InvalidCiphertextException', 400],
  CIPHERTEXT_KEY_OUT_OF_REACH: ['AccessDeniedException', 400],
  UNSUPPORTED_OPERATION: ['UnsupportedOperationException', 400],
  DRY_RUN: ['DryRunOperationException', 400],
  KEY_UNAVAILABLE: ['KeyUnavailableException', 500],
  TOKEN_TIMEOUT: ['DependencyTimeoutException', 500],
  THROTTLED: ['ThrottlingException', 400],
  AUDIT_UNAVAILABLE: ['KMSInternalException', 500],
  INTERNAL: ['KMSInternalException', 500],
};

const failWith = (error: unknown) => {
  jest.mocked(keys.describeKey).mockImplementation(async (_kms, ours) => {
    ours.keyId = KEY_ID;
    throw error;
  });
  return call('DescribeKey', { KeyId: 'k' });
};

describe('a domain error', () => {
  it.each(Object.entries(EXCEPTIONS))('%s is %j', async (code, [type, status]) => {
    const error = new KmsError(code as KmsErrorCode, `words for ${code}`, { cause: new Error('CKR_SECRET') });
    const answer = await failWith(error);
    expect(answer).toMatchObject({ status, contentType: 'application/x-amz-json-1.1' });
    const message =
      code === 'INTERNAL' ? expect.stringMatching(`internal error .*${REQUEST_ID}$`) : `words for ${code}`;
    expect(bodyOf(answer)).toEqual({ __type: type, message });
    expect(answer.record).toEqual({
      operation: 'DescribeKey',
      outcome: type,
      principal: ROOT_ARN,
      keyId: KEY_ID,
      tokenMs: 0,
      ...(status === 500 && { error }),
    });
  });
});

describe('anything else', () => {
  it.each([
    ['an error', new TypeError('secret detail')],
    ['an error with a status', Object.assign(new Error('secret detail'), { status: 400, type: 'X' })],
    ['a copy of a domain error', { name: 'KmsError', code: 'NOT_FOUND', message: 'secret detail' }],
    ['a string', 'secret detail'],
    ['nothing', undefined],
  ])('%s is internal, and only the log learns more', async (_what, error) => {
    const answer = await failWith(error);
    expect(answer.status).toBe(500);
    expect(bodyOf(answer)).toEqual({
      __type: 'KMSInternalException',
      message: `The request was rejected because an internal error occurred. Request id: ${REQUEST_ID}`,
    });
    expect(answer.record).toMatchObject({ outcome: 'KMSInternalException' });
    expect(answer.record.error).toBe(error);
    expect('error' in answer.record).toBe(true);
  });
});
