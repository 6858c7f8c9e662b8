import { call, expectError, rows } from '../support';

const PAIR = 'GenerateDataKeyPair';
const base64 = (length: number) => Buffer.alloc(length).toString('base64');

describe('a broken constraint is a ValidationException', () => {
  const KEY_PAIR_SPECS =
    'RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SM2, ' +
    'ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024';
  const GRANT_OPERATIONS =
    'CreateGrant, Decrypt, DescribeKey, Encrypt, GenerateDataKey, GenerateDataKeyPair, ' +
    'GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext, ReEncryptFrom, ReEncryptTo, RetireGrant, ' +
    'Decapsulate, DeriveSharedSecret, Encapsulate, GenerateMac, GetPublicKey, Sign, Verify, VerifyMac';
  const TOKEN_LENGTHS =
    '[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1, ' +
    'Member must not be null]';

  it.each(
    rows([
      ['DescribeKey', {}, "Value null at 'keyId'|Member must not be null"],
      ['DescribeKey', { KeyId: null }, "Value null at 'keyId'|Member must not be null"],
      [
        'DescribeKey',
        { KeyId: '' },
        "Value '' at 'keyId'|Member must have length greater than or equal to 1",
      ],
      [
        'DescribeKey',
        { KeyId: 'x'.repeat(2049) },
        `Value '${'x'.repeat(256)}…' at 'keyId'|Member must have length less than or equal to 2048`,
      ],
      ['CreateAlias', { AliasName: 'alias/a' }, "Value null at 'targetKeyId'|Member must not be null"],
      ['UpdateAlias', { TargetKeyId: 'k' }, "Value null at 'aliasName'|Member must not be null"],
      ['UpdateKeyDescription', { KeyId: 'k' }, "Value null at 'description'|Member must not be null"],
      [
        'DeleteAlias',
        { AliasName: 'alias/ä' },
        "Value 'alias/ä' at 'aliasName'|Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
      ],
      [
        'DeleteAlias',
        { AliasName: 'alias/a\n' },
        "Value 'alias/a\n' at 'aliasName'|Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
      ],
      [
        'CreateKey',
        { Description: 'x'.repeat(8193) },
        `Value '${'x'.repeat(256)}…' at 'description'|Member must have length less than or equal to 8192`,
      ],
      [
        'CreateKey',
        { Description: 'x\0' },
        "Value 'x\0' at 'description'|Member must satisfy regular expression pattern: [^\\u0000\\p{Cs}]*",
      ],
      [
        'DescribeKey',
        { KeyId: 'alias/\0' },
        "Value 'alias/\0' at 'keyId'|Member must satisfy regular expression pattern: [^\\u0000\\p{Cs}]*",
      ],
      [
        'DescribeKey',
        { KeyId: 'k', GrantTokens: ['\0'] },
        "Value '[\0]' at 'grantTokens'|Member must satisfy constraint: [Member must satisfy regular expression pattern: [^\\u0000\\p{Cs}]*]",
      ],
      [
        'CreateKey',
        { Origin: 'MARS' },
        "Value 'MARS' at 'origin'|Member must satisfy enum value set: [AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]",
      ],
      ['ListKeys', { Limit: 0 }, "Value '0' at 'limit'|Member must have value greater than or equal to 1"],
      [
        'ListKeys',
        { Limit: 1001 },
        "Value '1001' at 'limit'|Member must have value less than or equal to 1000",
      ],
      [
        'ListAliases',
        { Limit: 101 },
        "Value '101' at 'limit'|Member must have value less than or equal to 100",
      ],
      ['ListKeys', { Marker: '' }, "Value '' at 'marker'|Member must have length greater than or equal to 1"],
      [
        'ListKeys',
        { Marker: 'ключ' },
        "Value 'ключ' at 'marker'|Member must satisfy regular expression pattern: [\\u0020-\\u00FF]*",
      ],
      [
        PAIR,
        { KeyId: 'k', KeyPairSpec: 'RSA_1024' },
        `Value 'RSA_1024' at 'keyPairSpec'|Member must satisfy enum value set: [${KEY_PAIR_SPECS}]`,
      ],
      [
        PAIR,
        { KeyId: 'k', KeyPairSpec: '__proto__' },
        `Value '__proto__' at 'keyPairSpec'|Member must satisfy enum value set: [${KEY_PAIR_SPECS}]`,
      ],
      [
        'Encrypt',
        { KeyId: 'k', Plaintext: 'AAAA', EncryptionAlgorithm: 'ROT13' },
        "Value 'ROT13' at 'encryptionAlgorithm'|Member must satisfy enum value set: " +
          '[SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]',
      ],
      ['Encrypt', { KeyId: 'k' }, "Value at 'plaintext'|Member must not be null"],
      [
        'Encrypt',
        { KeyId: 'k', Plaintext: '' },
        "Value at 'plaintext'|Member must have length greater than or equal to 1",
      ],
      [
        'Encrypt',
        { KeyId: 'k', Plaintext: base64(4097) },
        "Value at 'plaintext'|Member must have length less than or equal to 4096",
      ],
      ['Decrypt', {}, "Value null at 'ciphertextBlob'|Member must not be null"],
      [
        'Decrypt',
        { CiphertextBlob: '' },
        "Value at 'ciphertextBlob'|Member must have length greater than or equal to 1",
      ],
      [
        'Decrypt',
        { CiphertextBlob: base64(6145) },
        "Value at 'ciphertextBlob'|Member must have length less than or equal to 6144",
      ],
      [
        'Encrypt',
        { KeyId: 'k', Plaintext: 'AAAA', EncryptionContext: { a: 'b', c: null } },
        "Value at 'encryptionContext'|Map value must satisfy constraint: [Member must not be null]",
      ],
      [
        'DescribeKey',
        { KeyId: 'k', GrantTokens: Array(11).fill('t') },
        `Value '[${Array(11).fill('t').join(', ')}]' at 'grantTokens'|Member must have length less than or equal to 10`,
      ],
      [
        'DescribeKey',
        { KeyId: 'k', GrantTokens: ['t', ''] },
        `Value '[t, ]' at 'grantTokens'|Member must satisfy constraint: ${TOKEN_LENGTHS}`,
      ],
      [
        'DescribeKey',
        { KeyId: 'k', GrantTokens: [null] },
        `Value '[null]' at 'grantTokens'|Member must satisfy constraint: ${TOKEN_LENGTHS}`,
      ],
      [
        'TagResource',
        {
          KeyId: 'k',
          Tags: [
            { TagKey: 'a', TagValue: '' },
            { TagKey: '', TagValue: '' },
          ],
        },
        "Value '' at 'tags.2.member.tagKey'|Member must have length greater than or equal to 1",
      ],
      [
        'CreateKey',
        { Tags: [{ TagKey: 'a', TagValue: 'v'.repeat(257) }] },
        `Value '${'v'.repeat(256)}…' at 'tags.1.member.tagValue'|Member must have length less than or equal to 256`,
      ],
      [
        'TagResource',
        { KeyId: 'k', Tags: [{ TagKey: 'a', TagValue: null }] },
        "Value null at 'tags.1.member.tagValue'|Member must not be null",
      ],
      [
        'UntagResource',
        { KeyId: 'k', TagKeys: ['a', ''] },
        "Value '[a, ]' at 'tagKeys'|Member must satisfy constraint: [Member must have length less than or equal to " +
          '128, Member must have length greater than or equal to 1, Member must not be null]',
      ],
      [
        'CreateGrant',
        { KeyId: 'k', GranteePrincipal: 'p', Operations: ['Encrypt', 'Cipher'] },
        `Value '[Encrypt, Cipher]' at 'operations'|Member must satisfy constraint: [Member must satisfy enum value ` +
          `set: [${GRANT_OPERATIONS}], Member must have length less than or equal to 64, Member must have length ` +
          'greater than or equal to 1, Member must not be null]',
      ],
      [
        'CreateGrant',
        { KeyId: 'k', Operations: ['Encrypt'] },
        "Value null at 'granteePrincipal'|Member must not be null",
      ],
      ['ListRetirableGrants', {}, "Value null at 'retiringPrincipal'|Member must not be null"],
      [
        'CreateGrant',
        {
          KeyId: 'k',
          GranteePrincipal: 'p',
          Operations: ['Encrypt'],
          Constraints: { EncryptionContextSubset: { a: null } },
        },
        "Value at 'constraints.encryptionContextSubset'|Map value must satisfy constraint: [Member must not be null]",
      ],
      [
        'CreateGrant',
        {
          KeyId: 'k',
          GranteePrincipal: 'p',
          Operations: ['Encrypt'],
          Constraints: { EncryptionContextEquals: { a: '\udc00' } },
        },
        "Value at 'constraints.encryptionContextEquals'|Map value must satisfy constraint: " +
          '[Member must satisfy regular expression pattern: \\P{Cs}*]',
      ],
      [
        'CreateGrant',
        {
          KeyId: 'k',
          GranteePrincipal: 'p',
          Operations: ['Encrypt'],
          Constraints: { EncryptionContextSubset: { '\ud800': 'a' } },
        },
        "Value at 'constraints.encryptionContextSubset'|Map keys must satisfy constraint: " +
          '[Member must satisfy regular expression pattern: \\P{Cs}*]',
      ],
      [
        'UntagResource',
        { KeyId: 'k', TagKeys: ['a', '\ud800'] },
        "Value '[a, \ufffd]' at 'tagKeys'|Member must satisfy constraint: " +
          '[Member must satisfy regular expression pattern: [^\\u0000\\p{Cs}]*]',
      ],
      [
        'PutKeyPolicy',
        { KeyId: 'k', Policy: '{"Id":"ключ"}' },
        `Value '{"Id":"ключ"}' at 'policy'|Member must satisfy regular expression pattern: ` +
          '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
      ],
      [
        'GetKeyPolicy',
        { KeyId: 'k', PolicyName: 'a b' },
        "Value 'a b' at 'policyName'|Member must satisfy regular expression pattern: [\\w]+",
      ],
      [
        'GenerateDataKey',
        { KeyId: 'k', NumberOfBytes: 1025 },
        "Value '1025' at 'numberOfBytes'|Member must have value less than or equal to 1024",
      ],
      [
        'GenerateDataKey',
        { KeyId: 'k', KeySpec: 'AES_192' },
        "Value 'AES_192' at 'keySpec'|Member must satisfy enum value set: [AES_256, AES_128]",
      ],
      [
        'GenerateRandom',
        { NumberOfBytes: 0 },
        "Value '0' at 'numberOfBytes'|Member must have value greater than or equal to 1",
      ],
    ]),
  )('%s %s', async (operation, _title, request, fault) => {
    const [where, what] = fault.split('|');
    const message = `1 validation error detected: ${where} failed to satisfy constraint: ${what}`;
    expectError(await call(operation, request), 'ValidationException', message);
  });

  it('lists all faults', async () => {
    const request = { KeyPairSpec: 'X', GrantTokens: Array(11).fill('t'), KeyId: '' };
    expectError(
      await call(PAIR, request),
      'ValidationException',
      "3 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: " +
        'Member must have length greater than or equal to 1; ' +
        `Value 'X' at 'keyPairSpec' failed to satisfy constraint: Member must satisfy enum value set: [${KEY_PAIR_SPECS}]; ` +
        `Value '[${Array(11).fill('t').join(', ')}]' at 'grantTokens' failed to satisfy constraint: ` +
        'Member must have length less than or equal to 10',
    );
  });

  it('names two faults of one member', async () => {
    expectError(
      await call('CreateAlias', { AliasName: '', TargetKeyId: 'k' }),
      'ValidationException',
      "2 validation errors detected: Value '' at 'aliasName' failed to satisfy constraint: " +
        "Member must have length greater than or equal to 1; Value '' at 'aliasName' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$',
    );
  });

  it.each(
    rows([
      ['GenerateDataKey', { KeyId: 'k' }, 'Please specify either number of bytes or key spec.'],
      [
        'GenerateDataKeyWithoutPlaintext',
        { KeyId: 'k', KeySpec: 'AES_256', NumberOfBytes: 32 },
        'Please specify either number of bytes or key spec.',
      ],
      ['GenerateRandom', {}, 'NumberOfBytes is required.'],
      [
        'CreateKey',
        { KeyUsage: 'SIGN_VERIFY' },
        'KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT',
      ],
      ['RetireGrant', {}, 'Grant token OR (grant ID, key ID) must be specified'],
      ['RetireGrant', { KeyId: 'k' }, 'Grant token OR (grant ID, key ID) must be specified'],
      [
        'RetireGrant',
        { GrantToken: 't', GrantId: 'g', KeyId: 'k' },
        'Grant token OR (grant ID, key ID) must be specified',
      ],
      [
        'CreateGrant',
        {
          KeyId: 'k',
          GranteePrincipal: 'p',
          Operations: ['Encrypt'],
          Constraints: { EncryptionContextEquals: {}, EncryptionContextSubset: { a: 'b' } },
        },
        'More than one constraint supplied',
      ],
      [
        'CreateKey',
        { KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
        'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
      ],
    ]),
  )('%s %s, between members', async (operation, _title, request, message) => {
    expectError(await call(operation, request), 'ValidationException', message);
  });
});

it('stops at the first fault of a long list or map', async () => {
  const started = performance.now();
  const context = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i]));
  const requests: [string, object][] = [
    ['DescribeKey', { KeyId: 'k', GrantTokens: Array(60_000).fill(''), EncryptionContext: context }],
    ['TagResource', { KeyId: 'k', Tags: Array(60_000).fill({}) }],
    ['CreateGrant', { KeyId: 'k', GranteePrincipal: 'p', Operations: Array(20_000).fill('Cipher') }],
  ];
  for (const [operation, request] of requests) {
    const answer = await call(operation, request);
    expect(answer.status).toBe(400);
    expect(String(answer.body).length).toBeLessThan(1100);
  }
  expect(performance.now() - started).toBeLessThan(1000);
});
