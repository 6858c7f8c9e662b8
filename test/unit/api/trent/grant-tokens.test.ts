import { KmsError } from '../../../../src/errors';
import * as data from '../../../../src/kms/data';
import * as dataKeyPairs from '../../../../src/kms/data-key-pairs';
import * as dataKeys from '../../../../src/kms/data-keys';
import { assertGrantTokens } from '../../../../src/kms/grant-tokens';
import * as grants from '../../../../src/kms/grants';
import * as keys from '../../../../src/kms/keys';
import * as reEncrypt from '../../../../src/kms/re-encrypt';
import { call, expectError, KEY_ID, KMS } from '../support';

jest.mock('../../../../src/kms/data');
jest.mock('../../../../src/kms/data-key-pairs');
jest.mock('../../../../src/kms/data-keys');
jest.mock('../../../../src/kms/grant-tokens');
jest.mock('../../../../src/kms/grants');
jest.mock('../../../../src/kms/keys');
jest.mock('../../../../src/kms/re-encrypt');

const PAIR = { KeyPairSpec: 'RSA_2048' };
const DATA_KEY = { KeySpec: 'AES_256' };
const TAKES_TOKENS: [operation: string, request: object, perform: unknown][] = [
  ['CreateGrant', { Operations: ['Encrypt'], GranteePrincipal: 'p' }, grants.createGrant],
  ['Decrypt', { CiphertextBlob: 'AAAA' }, data.decrypt],
  ['DescribeKey', {}, keys.describeKey],
  ['Encrypt', { Plaintext: 'AAAA' }, data.encrypt],
  ['GenerateDataKey', DATA_KEY, dataKeys.generateDataKey],
  ['GenerateDataKeyPair', PAIR, dataKeyPairs.generateDataKeyPair],
  ['GenerateDataKeyPairWithoutPlaintext', PAIR, dataKeyPairs.generateDataKeyPairWithoutPlaintext],
  ['GenerateDataKeyWithoutPlaintext', DATA_KEY, dataKeys.generateDataKeyWithoutPlaintext],
  ['ReEncrypt', { CiphertextBlob: 'AAAA', DestinationKeyId: KEY_ID }, reEncrypt.reEncrypt],
];

it.each(TAKES_TOKENS)(
  '%s does not begin with an invalid grant token',
  async (operation, request, perform) => {
    const refusal = new KmsError('INVALID_GRANT_TOKEN', 'The grant token is not valid.');
    jest.mocked(assertGrantTokens).mockRejectedValueOnce(refusal);
    const answer = await call(operation, { KeyId: KEY_ID, ...request, GrantTokens: ['a', 'b'] });
    expectError(answer, 'InvalidGrantTokenException', refusal.message);
    expect(assertGrantTokens).toHaveBeenLastCalledWith(KMS, ['a', 'b']);
    expect(perform).not.toHaveBeenCalled();
  },
);

it.each(TAKES_TOKENS)(
  '%s looks for no grants where there are no tokens',
  async (operation, request, perform) => {
    jest.mocked(assertGrantTokens).mockClear();
    for (const none of [{}, { GrantTokens: null }])
      await call(operation, { KeyId: KEY_ID, ...request, ...none });
    expect(assertGrantTokens).not.toHaveBeenCalled();
    expect(perform).toHaveBeenCalledTimes(2);
  },
);

it('an operation that takes no grant tokens does not look at them', async () => {
  jest.mocked(assertGrantTokens).mockClear();
  await call('DisableKey', { KeyId: KEY_ID, GrantTokens: {} });
  expect(assertGrantTokens).not.toHaveBeenCalled();
  expect(keys.disableKey).toHaveBeenCalledTimes(1);
});
