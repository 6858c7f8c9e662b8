import * as aliases from '../../../../src/kms/aliases';
import type { Alias } from '../../../../src/kms/key';
import * as keys from '../../../../src/kms/keys';
import { bodyOf, call, KEY, KEY_ARN, KEY_ID, KMS, REQUEST_ID, ROOT_ARN } from '../support';

jest.mock('../../../../src/kms/aliases');
jest.mock('../../../../src/kms/grant-tokens');
jest.mock('../../../../src/kms/keys');

const CALL = expect.objectContaining({ requestId: REQUEST_ID });
const METADATA = {
  AWSAccountId: '111122223333',
  KeyId: KEY_ID,
  Arn: KEY_ARN,
  CreationDate: 1767323045.678,
  Enabled: true,
  Description: 'a key',
  KeyUsage: 'ENCRYPT_DECRYPT',
  KeyState: 'Enabled',
  Origin: 'AWS_KMS',
  KeyManager: 'CUSTOMER',
  CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
  KeySpec: 'SYMMETRIC_DEFAULT',
  EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
  MultiRegion: false,
  CurrentKeyMaterialId: 'a2'.repeat(32),
};
describe('keys', () => {
  it('CreateKey', async () => {
    jest.mocked(keys.createKey).mockResolvedValue(KEY);
    const answer = await call('CreateKey', {
      Description: 'a key',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      Origin: 'AWS_KMS',
      MultiRegion: false,
      BypassPolicyLockoutSafetyCheck: true,
      Tags: [],
    });
    expect(keys.createKey).toHaveBeenLastCalledWith(KMS, CALL, {
      description: 'a key',
      tags: new Map(),
      bypass: true,
    });
    expect(answer).toMatchObject({ status: 200, contentType: 'application/x-amz-json-1.1' });
    expect(bodyOf(answer)).toEqual({ KeyMetadata: METADATA });

    await call('CreateKey', {});
    expect(keys.createKey).toHaveBeenLastCalledWith(KMS, CALL, {
      description: '',
      tags: new Map(),
      bypass: false,
    });
  });

  it('DescribeKey', async () => {
    jest.mocked(keys.describeKey).mockResolvedValue({ ...KEY, state: 'disabled' });
    const answer = await call('DescribeKey', { KeyId: 'alias/a', GrantTokens: ['token'] });
    expect(keys.describeKey).toHaveBeenLastCalledWith(KMS, CALL, 'alias/a');
    expect(bodyOf(answer)).toEqual({ KeyMetadata: { ...METADATA, Enabled: false, KeyState: 'Disabled' } });
  });

  it.each([
    ['EnableKey', keys.enableKey],
    ['DisableKey', keys.disableKey],
  ])('%s answers with an empty body', async (operation, perform) => {
    expect(await call(operation, { KeyId: KEY_ID })).toMatchObject({
      status: 200,
      body: '',
      record: { operation, outcome: 'ok' },
    });
    expect(perform).toHaveBeenLastCalledWith(KMS, CALL, KEY_ID);
  });

  it('UpdateKeyDescription answers with an empty body', async () => {
    const answer = await call('UpdateKeyDescription', { KeyId: KEY_ID, Description: '' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(keys.updateKeyDescription).toHaveBeenLastCalledWith(KMS, CALL, { keyId: KEY_ID, description: '' });
  });

  it('ListKeys, in pages', async () => {
    jest.mocked(keys.listKeys).mockResolvedValueOnce({ items: [KEY], nextMarker: 'next' });
    const first = await call('ListKeys', { Limit: 1, Marker: 'here' });
    expect(keys.listKeys).toHaveBeenLastCalledWith(KMS, CALL, { limit: 1, marker: 'here' });
    expect(bodyOf(first)).toEqual({
      Keys: [{ KeyId: KEY_ID, KeyArn: KEY_ARN }],
      Truncated: true,
      NextMarker: 'next',
    });

    jest.mocked(keys.listKeys).mockResolvedValueOnce({ items: [] });
    expect(bodyOf(await call('ListKeys', {}))).toEqual({ Keys: [], Truncated: false });
    expect(keys.listKeys).toHaveBeenLastCalledWith(KMS, CALL, { limit: 100 });
  });
});

describe('aliases', () => {
  it.each([
    ['CreateAlias', aliases.createAlias],
    ['UpdateAlias', aliases.updateAlias],
  ])('%s', async (operation, perform) => {
    expect(await call(operation, { AliasName: 'alias/a', TargetKeyId: KEY_ID })).toMatchObject({
      status: 200,
      body: '',
    });
    expect(perform).toHaveBeenLastCalledWith(KMS, CALL, {
      aliasName: 'alias/a',
      targetKeyId: KEY_ID,
    });
  });

  it('DeleteAlias', async () => {
    expect(await call('DeleteAlias', { AliasName: 'alias/a' })).toMatchObject({ status: 200, body: '' });
    expect(aliases.deleteAlias).toHaveBeenLastCalledWith(KMS, CALL, { aliasName: 'alias/a' });
  });

  it('ListAliases, of all keys or of one', async () => {
    const alias = {
      name: 'alias/a',
      arn: 'arn:aws:kms:us-east-1:111122223333:alias/a',
      keyId: KEY_ID,
      createdAt: new Date(1_000),
      updatedAt: new Date(2_500),
    } as Alias;
    jest.mocked(aliases.listAliases).mockResolvedValue({ items: [alias] });
    expect(bodyOf(await call('ListAliases', {}))).toEqual({
      Aliases: [
        {
          AliasName: 'alias/a',
          AliasArn: 'arn:aws:kms:us-east-1:111122223333:alias/a',
          TargetKeyId: KEY_ID,
          CreationDate: 1,
          LastUpdatedDate: 2.5,
        },
      ],
      Truncated: false,
    });
    expect(aliases.listAliases).toHaveBeenLastCalledWith(KMS, CALL, { limit: 50 });
    await call('ListAliases', { KeyId: KEY_ID, Limit: 100, Marker: 'm' });
    expect(aliases.listAliases).toHaveBeenLastCalledWith(KMS, CALL, {
      keyId: KEY_ID,
      limit: 100,
      marker: 'm',
    });
  });
});

it('tells the log which key it was and how long the token took', async () => {
  jest.mocked(keys.describeKey).mockImplementation(async (_kms, ours) => {
    ours.keyId = KEY_ID;
    ours.tokenMs = 1.5;
    return KEY;
  });
  expect((await call('DescribeKey', { KeyId: 'alias/a' })).record).toEqual({
    operation: 'DescribeKey',
    outcome: 'ok',
    principal: ROOT_ARN,
    keyId: KEY_ID,
    tokenMs: 1.5,
  });
});
