import { bodyOf, call, expectError, rows } from '../support';

const PAIR = 'GenerateDataKeyPair';

describe('what the API has and p11kms has not is an UnsupportedOperationException', () => {
  const PAIRS = 'data key pairs are RSA, or on the curves P-256, P-384, P-521 and secp256k1.';
  const ENCLAVES = 'there are no attested enclaves (AWS Nitro) that an answer could be encrypted for.';
  const REGIONS = 'there are no multi-Region keys, because the service is in one Region.';
  const STORES = "there are no custom key stores, because all keys are on the service's own token.";
  const SERVICES = 'there are no AWS services that could be given a grant, or retire one.';
  const grant = { KeyId: 'k', Operations: ['Encrypt'] };

  it.each(
    rows([
      [PAIR, { KeyId: 'k', KeyPairSpec: 'SM2' }, `KeyPairSpec SM2 is not supported: ${PAIRS}`],
      [PAIR, { KeyId: 'k', KeyPairSpec: 'ML_KEM_768' }, `KeyPairSpec ML_KEM_768 is not supported: ${PAIRS}`],
      [
        PAIR,
        { KeyId: 'k', KeyPairSpec: 'ECC_NIST_EDWARDS25519' },
        `KeyPairSpec ECC_NIST_EDWARDS25519 is not supported: ${PAIRS}`,
      ],
      ['Decrypt', { CiphertextBlob: 'AAAA', Recipient: {} }, `Recipient is not supported: ${ENCLAVES}`],
      [
        'CreateKey',
        { KeySpec: 'RSA_2048' },
        'KeySpec RSA_2048 is not supported: KMS keys are SYMMETRIC_DEFAULT.',
      ],
      [
        'CreateKey',
        { CustomerMasterKeySpec: 'HMAC_256' },
        'CustomerMasterKeySpec HMAC_256 is not supported: KMS keys are SYMMETRIC_DEFAULT.',
      ],
      [
        'CreateKey',
        { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
        'KeySpec RSA_2048 is not supported: KMS keys are SYMMETRIC_DEFAULT.',
      ],
      [
        'CreateKey',
        { Origin: 'EXTERNAL' },
        "Origin EXTERNAL is not supported: key material is made on the service's own token.",
      ],
      ['CreateKey', { MultiRegion: true }, `MultiRegion true is not supported: ${REGIONS}`],
      ['CreateKey', { CustomKeyStoreId: 'cks-1' }, `CustomKeyStoreId is not supported: ${STORES}`],
      [
        'CreateKey',
        { XksKeyId: 'xks', MultiRegion: true },
        `MultiRegion true is not supported: ${REGIONS} XksKeyId is not supported: ${STORES}`,
      ],
      [
        'CreateGrant',
        { ...grant, GranteeServicePrincipal: 'service.amazonaws.com' },
        `GranteeServicePrincipal is not supported: ${SERVICES}`,
      ],
      [
        'CreateGrant',
        { ...grant, RetiringServicePrincipal: 'service.amazonaws.com' },
        `RetiringServicePrincipal is not supported: ${SERVICES}`,
      ],
      [
        'CreateGrant',
        { ...grant, Constraints: { SourceArn: 'arn:aws:s3:::bucket' } },
        'SourceArn is not supported: no request is made on behalf of an AWS resource.',
      ],
      [
        'ListGrants',
        { KeyId: 'k', GranteeServicePrincipal: 'service.amazonaws.com' },
        `GranteeServicePrincipal is not supported: ${SERVICES}`,
      ],
      [
        'ListRetirableGrants',
        { RetiringServicePrincipal: 'service.amazonaws.com' },
        `RetiringServicePrincipal is not supported: ${SERVICES}`,
      ],
      [
        'GenerateRandom',
        { NumberOfBytes: 1, CustomKeyStoreId: 'cks-1' },
        `CustomKeyStoreId is not supported: ${STORES}`,
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
