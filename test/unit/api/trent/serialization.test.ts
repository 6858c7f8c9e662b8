import { trent } from '../../../../src/api/trent/handler';
import { ADMISSION, ask, call, expectError, HEADERS, KMS, ROOT_ARN, rows } from '../support';

jest.mock('../../../../src/kms/aliases');
jest.mock('../../../../src/kms/keys');

const PAIR = 'GenerateDataKeyPair';

describe('another JSON type is a SerializationException', () => {
  const LIST = 'Start of list found where not expected';
  const MAP = 'Start of structure or map found where not expected.';

  it.each(
    rows([
      ['DescribeKey', { KeyId: 5 }, 'NUMBER_VALUE can not be converted to a String'],
      ['DescribeKey', { KeyId: true }, 'TRUE_VALUE can not be converted to a String'],
      ['DescribeKey', { KeyId: ['k'] }, LIST],
      ['DescribeKey', { KeyId: {} }, MAP],
      ['DescribeKey', { KeyId: 'k', GrantTokens: 't' }, 'Expected list or null'],
      ['DescribeKey', { KeyId: 'k', GrantTokens: {} }, MAP],
      ['DescribeKey', { KeyId: 'k', GrantTokens: [1] }, 'NUMBER_VALUE can not be converted to a String'],
      ['ListKeys', { Limit: '5' }, 'STRING_VALUE can not be converted to an Integer'],
      ['ListKeys', { Limit: 1.5 }, 'NUMBER_VALUE can not be converted to an Integer'],
      ['ListKeys', { Limit: false }, 'FALSE_VALUE can not be converted to an Integer'],
      ['CreateKey', { MultiRegion: 'no' }, 'STRING_VALUE can not be converted to a Boolean'],
      ['Encrypt', { KeyId: 'k', Plaintext: 5 }, 'NUMBER_VALUE can not be converted to a Blob'],
      ['Encrypt', { KeyId: 'k', Plaintext: 'a' }, 'STRING_VALUE can not be converted to a Blob'],
      ['Encrypt', { KeyId: 'k', Plaintext: 'AAA' }, 'STRING_VALUE can not be converted to a Blob'],
      ['Encrypt', { KeyId: 'k', Plaintext: 'AA==\n' }, 'STRING_VALUE can not be converted to a Blob'],
      ['Encrypt', { KeyId: 'k', Plaintext: '-_-_' }, 'STRING_VALUE can not be converted to a Blob'],
      ['Encrypt', { KeyId: 'k', Plaintext: 'AB==' }, 'STRING_VALUE can not be converted to a Blob'],
      ['Decrypt', { CiphertextBlob: 'AAAA', EncryptionContext: 'a=b' }, 'Expected map or null'],
      ['Decrypt', { CiphertextBlob: 'AAAA', EncryptionContext: ['a'] }, LIST],
      [
        'Decrypt',
        { CiphertextBlob: 'AAAA', EncryptionContext: { a: 1 } },
        'NUMBER_VALUE can not be converted to a String',
      ],
      ['Decrypt', { CiphertextBlob: 'AAAA', EncryptionContext: { a: {} } }, MAP],
      ['Decrypt', { CiphertextBlob: 'AAAA', Recipient: 'x' }, 'Expected null'],
      // A type is looked at before any constraint.
      [PAIR, { KeyId: '', KeyPairSpec: 5 }, 'NUMBER_VALUE can not be converted to a String'],
    ]),
  )('%s %s', async (operation, _title, request, message) => {
    expectError(await call(operation, request), 'SerializationException', message);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"KeyId":'],
    ['a comma too many', '{"KeyId":"k",}'],
    ['two objects', '{}{}'],
    ['a byte order mark', '\uFEFF{"KeyId":"k"}'],
  ])('%s', async (_what, body) => {
    const answer = await call('DescribeKey', Buffer.from(body));
    expectError(answer, 'SerializationException', 'The request is not JSON.');
  });

  it('no UTF-8', async () => {
    const answer = await call('DescribeKey', Buffer.from('{"KeyId":"\xe4"}', 'latin1'));
    expectError(answer, 'SerializationException', 'The request is not UTF-8.');
  });

  it.each([
    ['[]', LIST],
    ['null', MAP],
    ['"text"', 'Expected null'],
    ['5', 'Expected null'],
  ])('%s for a body', async (body, message) => {
    expectError(await call('DescribeKey', Buffer.from(body)), 'SerializationException', message);
  });

  it.each([undefined, 'application/json', 'application/x-amz-json-1.0', 'application/x-amz-json-1.1x'])(
    'Content-Type %s',
    async (type) => {
      const answer = await call(
        'DescribeKey',
        { KeyId: 'k' },
        type === undefined ? {} : { 'content-type': type },
      );
      expectError(answer, 'SerializationException', 'Content-Type must be application/x-amz-json-1.1.');
    },
  );
});

describe('a request is taken', () => {
  it.each(['application/x-amz-json-1.1; charset=utf-8', 'Application/X-AMZ-JSON-1.1'])(
    'with the Content-Type %s',
    async (type) => {
      expect((await call('EnableKey', { KeyId: 'k' }, { 'content-type': type })).status).toBe(200);
    },
  );

  it.each(
    rows([
      ['EnableKey', { KeyId: 'k', Unknown: { nested: [] }, constructor: 1 }],
      ['CreateAlias', { AliasName: 'alias/a', TargetKeyId: 'k', KeyId: null, Tags: null }],
      ['EnableKey', { KeyId: 'k'.repeat(2048) }],
      ['EnableKey', JSON.parse('{"KeyId":"k","__proto__":{"KeyId":5}}')],
    ]),
  )('%s %s', async (operation, _title, request) => {
    expect((await call(operation, request)).status).toBe(200);
  });

  it.each([
    undefined,
    '',
    'TrentService',
    'TrentService.',
    'TrentService.Nope',
    'trentservice.EnableKey',
    'EnableKey',
  ])('not for the target %s', async (target) => {
    const headers = { ...HEADERS, ...(target !== undefined && { 'x-amz-target': target }) };
    const answer = await ask(trent(KMS, ADMISSION), Buffer.from('not even JSON'), headers);
    expect(answer.record).toEqual({
      operation: 'unknown',
      outcome: 'UnknownOperationException',
      principal: ROOT_ARN,
      tokenMs: 0,
    });
    expectError(answer, 'UnknownOperationException', 'X-Amz-Target names no operation of this service.');
  });
});
