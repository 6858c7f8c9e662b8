import * as data from '../../../../src/kms/data';
import * as dataKeyPairs from '../../../../src/kms/data-key-pairs';
import * as dataKeys from '../../../../src/kms/data-keys';
import * as random from '../../../../src/kms/random';
import { bodyOf, call, KEY, KEY_ARN, KEY_ID, KMS, OLD_VERSION, REQUEST_ID } from '../support';

jest.mock('../../../../src/kms/data');
jest.mock('../../../../src/kms/data-key-pairs');
jest.mock('../../../../src/kms/data-keys');
jest.mock('../../../../src/kms/random');

const CALL = expect.objectContaining({ requestId: REQUEST_ID });
const CIPHERTEXT = Buffer.from('a ciphertext');
const CONTEXT = { Purpose: 'Test', __proto: 'x' };

const context = (pairs: Record<string, string> = {}) => ({
  kind: 'context',
  pairs: new Map(Object.entries(pairs)),
});

describe('data', () => {
  it('Encrypt', async () => {
    let seen = '';
    jest.mocked(data.encrypt).mockImplementation(async (_kms, _call, { plaintext }) => {
      seen = plaintext.toString();
      return { key: KEY, version: KEY.current, iv: Buffer.alloc(12), ciphertext: CIPHERTEXT };
    });
    const answer = await call('Encrypt', {
      KeyId: KEY_ID,
      Plaintext: Buffer.from('text').toString('base64'),
      EncryptionContext: CONTEXT,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    expect(bodyOf(answer)).toEqual({
      KeyId: KEY_ARN,
      CiphertextBlob: CIPHERTEXT.toString('base64'),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    expect(seen).toBe('text');
    const { plaintext, ...rest } = jest.mocked(data.encrypt).mock.lastCall?.[2] ?? {};
    expect(rest).toEqual({
      keyId: KEY_ID,
      authenticated: context(CONTEXT),
      algorithm: 'SYMMETRIC_DEFAULT',
      dryRun: false,
    });
    expect(plaintext).toEqual(Buffer.alloc(4));
  });

  it('Encrypt zeroes the plaintext where it fails, too', async () => {
    jest.mocked(data.encrypt).mockRejectedValue(new Error('no'));
    await call('Encrypt', { KeyId: KEY_ID, Plaintext: 'dGV4dA==' });
    expect(jest.mocked(data.encrypt).mock.lastCall?.[2].plaintext).toEqual(Buffer.alloc(4));
  });

  it('Decrypt', async () => {
    const plaintext = Buffer.from('text');
    jest.mocked(data.decrypt).mockResolvedValue({ key: KEY, version: OLD_VERSION, plaintext });
    const answer = await call('Decrypt', {
      CiphertextBlob: CIPHERTEXT.toString('base64'),
      KeyId: null,
      DryRun: false,
      DryRunModifiers: [],
    });
    expect(bodyOf(answer)).toEqual({
      KeyId: KEY_ARN,
      Plaintext: 'dGV4dA==',
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: OLD_VERSION.materialId,
    });
    expect(data.decrypt).toHaveBeenLastCalledWith(KMS, CALL, {
      ciphertext: CIPHERTEXT,
      authenticated: context(),
      dryRun: false,
    });
    expect(plaintext).toEqual(Buffer.alloc(4));
  });

  it('Decrypt, with a key and an algorithm, as a dry run', async () => {
    const EncryptionAlgorithm = 'SM2PKE';
    await call('Decrypt', { CiphertextBlob: 'AAAA', KeyId: 'alias/a', DryRun: true, EncryptionAlgorithm });
    expect(data.decrypt).toHaveBeenLastCalledWith(KMS, CALL, {
      keyId: 'alias/a',
      ciphertext: Buffer.alloc(3),
      authenticated: context(),
      algorithm: EncryptionAlgorithm,
      dryRun: true,
    });
  });

  it('takes any encryption context key', async () => {
    jest
      .mocked(data.encrypt)
      .mockResolvedValue({ key: KEY, version: KEY.current, iv: Buffer.alloc(12), ciphertext: CIPHERTEXT });
    const pairs = '{"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":"d","":""}';
    const request = Buffer.from(`{"KeyId":"k","Plaintext":"AAAA","EncryptionContext":${pairs}}`);
    expect((await call('Encrypt', request)).status).toBe(200);
    expect(jest.mocked(data.encrypt).mock.lastCall?.[2].authenticated).toEqual({
      kind: 'context',
      pairs: new Map([
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['toString', 'c'],
        ['hasOwnProperty', 'd'],
        ['', ''],
      ]),
    });
  });
});

describe('data keys', () => {
  it.each([
    [{ KeySpec: 'AES_128' }, 16],
    [{ KeySpec: 'AES_256' }, 32],
    [{ NumberOfBytes: 7 }, 7],
    [{ NumberOfBytes: 1024, KeySpec: null }, 1024],
  ])('GenerateDataKey %j is %i bytes', async (size, bytes) => {
    const plaintext = Buffer.from('a data key');
    jest.mocked(dataKeys.generateDataKey).mockResolvedValue({
      key: KEY,
      version: KEY.current,
      iv: Buffer.alloc(12),
      ciphertext: CIPHERTEXT,
      plaintext,
    });
    const answer = await call('GenerateDataKey', { KeyId: KEY_ID, EncryptionContext: CONTEXT, ...size });
    expect(bodyOf(answer)).toEqual({
      KeyId: KEY_ARN,
      CiphertextBlob: CIPHERTEXT.toString('base64'),
      Plaintext: Buffer.from('a data key').toString('base64'),
      KeyMaterialId: KEY.current.materialId,
    });
    expect(dataKeys.generateDataKey).toHaveBeenLastCalledWith(KMS, CALL, {
      keyId: KEY_ID,
      bytes,
      authenticated: context(CONTEXT),
      dryRun: false,
    });
    expect(plaintext).toEqual(Buffer.alloc(10));
  });

  it('GenerateDataKeyWithoutPlaintext', async () => {
    jest
      .mocked(dataKeys.generateDataKeyWithoutPlaintext)
      .mockResolvedValue({ key: KEY, version: KEY.current, iv: Buffer.alloc(12), ciphertext: CIPHERTEXT });
    const answer = await call('GenerateDataKeyWithoutPlaintext', { KeyId: KEY_ID, KeySpec: 'AES_256' });
    expect(bodyOf(answer)).toEqual({
      KeyId: KEY_ARN,
      CiphertextBlob: CIPHERTEXT.toString('base64'),
      KeyMaterialId: KEY.current.materialId,
    });
    expect(dataKeys.generateDataKeyWithoutPlaintext).toHaveBeenLastCalledWith(KMS, CALL, {
      keyId: KEY_ID,
      bytes: 32,
      authenticated: context(),
      dryRun: false,
    });
  });

  it('GenerateRandom', async () => {
    const bytes = Buffer.from('random');
    jest.mocked(random.generateRandom).mockResolvedValue(bytes);
    expect(bodyOf(await call('GenerateRandom', { NumberOfBytes: 6 }))).toEqual({ Plaintext: 'cmFuZG9t' });
    expect(random.generateRandom).toHaveBeenLastCalledWith(KMS, CALL, { bytes: 6 });
    expect(bytes).toEqual(Buffer.alloc(6));
  });
});

describe('data key pairs', () => {
  const spec = 'ECC_NIST_P256';
  const wrapped = {
    key: KEY,
    version: KEY.current,
    spec,
    publicKey: Buffer.from('public'),
    iv: Buffer.alloc(12),
    privateKeyCiphertext: CIPHERTEXT,
  } as const;
  const answered = {
    KeyId: KEY_ARN,
    KeyPairSpec: spec,
    PublicKey: Buffer.from('public').toString('base64'),
    PrivateKeyCiphertextBlob: CIPHERTEXT.toString('base64'),
    KeyMaterialId: KEY.current.materialId,
  };
  const request = { KeyId: KEY_ID, KeyPairSpec: spec, EncryptionContext: CONTEXT };
  const understood = { keyId: KEY_ID, spec, authenticated: context(CONTEXT), dryRun: false };

  it('GenerateDataKeyPair without the private key', async () => {
    jest.mocked(dataKeyPairs.generateDataKeyPair).mockResolvedValue(wrapped);
    expect(bodyOf(await call('GenerateDataKeyPair', request))).toEqual(answered);
    expect(dataKeyPairs.generateDataKeyPair).toHaveBeenLastCalledWith(KMS, CALL, understood);
  });

  it('GenerateDataKeyPair with it', async () => {
    const privateKeyPlaintext = Buffer.from('private');
    jest.mocked(dataKeyPairs.generateDataKeyPair).mockResolvedValue({ ...wrapped, privateKeyPlaintext });
    expect(bodyOf(await call('GenerateDataKeyPair', request))).toEqual({
      ...answered,
      PrivateKeyPlaintext: Buffer.from('private').toString('base64'),
    });
    expect(privateKeyPlaintext).toEqual(Buffer.alloc(7));
  });

  it('GenerateDataKeyPairWithoutPlaintext', async () => {
    jest.mocked(dataKeyPairs.generateDataKeyPairWithoutPlaintext).mockResolvedValue(wrapped);
    expect(bodyOf(await call('GenerateDataKeyPairWithoutPlaintext', request))).toEqual(answered);
    expect(dataKeyPairs.generateDataKeyPairWithoutPlaintext).toHaveBeenLastCalledWith(KMS, CALL, understood);
  });
});
