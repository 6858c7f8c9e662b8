import { bodyOf, call, expectError, rows } from '../support';

const PAIR = 'GenerateDataKeyPair';

describe('what the API has and p11kms has not is an UnsupportedOperationException', () => {
  const encryption = { KeyId: 'k', Plaintext: 'AAAA' };

  it.each(
    rows([
      [PAIR, { KeyId: 'k', KeyPairSpec: 'SM2' }, 'KeyPairSpec SM2 is not supported.'],
      [PAIR, { KeyId: 'k', KeyPairSpec: 'ML_KEM_768' }, 'KeyPairSpec ML_KEM_768 is not supported.'],
      [
        PAIR,
        { KeyId: 'k', KeyPairSpec: 'ECC_NIST_EDWARDS25519' },
        'KeyPairSpec ECC_NIST_EDWARDS25519 is not supported.',
      ],
      [
        'Encrypt',
        { ...encryption, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' },
        'EncryptionAlgorithm RSAES_OAEP_SHA_256 is not supported.',
      ],
      [
        'Decrypt',
        { CiphertextBlob: 'AAAA', EncryptionAlgorithm: 'SM2PKE' },
        'EncryptionAlgorithm SM2PKE is not supported.',
      ],
      ['Decrypt', { CiphertextBlob: 'AAAA', Recipient: {} }, 'Recipient is not supported.'],
      ['CreateKey', { KeySpec: 'RSA_2048' }, 'KeySpec RSA_2048 is not supported.'],
      [
        'CreateKey',
        { CustomerMasterKeySpec: 'HMAC_256' },
        'CustomerMasterKeySpec HMAC_256 is not supported.',
      ],
      ['CreateKey', { Origin: 'EXTERNAL' }, 'Origin EXTERNAL is not supported.'],
      ['CreateKey', { MultiRegion: true }, 'MultiRegion true is not supported.'],
      ['CreateKey', { CustomKeyStoreId: 'cks-1' }, 'CustomKeyStoreId is not supported.'],
      ['CreateKey', { XksKeyId: 'xks' }, 'XksKeyId is not supported.'],
      [
        'CreateKey',
        { XksKeyId: 'xks', MultiRegion: true },
        'MultiRegion true is not supported. XksKeyId is not supported.',
      ],
      ['CreateKey', { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, 'KeySpec RSA_2048 is not supported.'],
      [
        'CreateGrant',
        { KeyId: 'k', Operations: ['Encrypt'], GranteeServicePrincipal: 'service.amazonaws.com' },
        'GranteeServicePrincipal is not supported.',
      ],
      [
        'CreateGrant',
        { KeyId: 'k', Operations: ['Encrypt'], Constraints: { SourceArn: 'arn:aws:s3:::bucket' } },
        'SourceArn is not supported.',
      ],
      [
        'CreateGrant',
        { KeyId: 'k', Operations: ['Encrypt'], RetiringServicePrincipal: 'service.amazonaws.com' },
        'RetiringServicePrincipal is not supported.',
      ],
      [
        'ListGrants',
        { KeyId: 'k', GranteeServicePrincipal: 'service.amazonaws.com' },
        'GranteeServicePrincipal is not supported.',
      ],
      [
        'ListRetirableGrants',
        { RetiringServicePrincipal: 'service.amazonaws.com' },
        'RetiringServicePrincipal is not supported.',
      ],
      [
        'GenerateRandom',
        { NumberOfBytes: 1, CustomKeyStoreId: 'cks-1' },
        'CustomKeyStoreId is not supported.',
      ],
    ]),
  )('%s %s', async (operation, _title, request, message) => {
    expectError(await call(operation, request), 'UnsupportedOperationException', message);
  });

  it('is told after what is wrong', async () => {
    const answer = await call(PAIR, { KeyPairSpec: 'SM2' });
    expect(bodyOf(answer)).toMatchObject({ __type: 'ValidationException' });
  });
});
