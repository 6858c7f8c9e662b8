import fc from 'fast-check';
import { OPERATIONS } from '../../../../src/api/trent/operations';
import * as aliases from '../../../../src/kms/aliases';
import * as data from '../../../../src/kms/data';
import * as dataKeyPairs from '../../../../src/kms/data-key-pairs';
import * as dataKeys from '../../../../src/kms/data-keys';
import * as grants from '../../../../src/kms/grants';
import * as keys from '../../../../src/kms/keys';
import * as random from '../../../../src/kms/random';
import * as tags from '../../../../src/kms/tags';
import { bodyOf, call, KEY } from '../support';

jest.mock('../../../../src/kms/aliases');
jest.mock('../../../../src/kms/data');
jest.mock('../../../../src/kms/data-key-pairs');
jest.mock('../../../../src/kms/data-keys');
jest.mock('../../../../src/kms/grant-tokens');
jest.mock('../../../../src/kms/grants');
jest.mock('../../../../src/kms/key-policies');
jest.mock('../../../../src/kms/keys');
jest.mock('../../../../src/kms/random');
jest.mock('../../../../src/kms/tags');

const bytes = () => Buffer.from('bytes');

beforeAll(() => {
  const sealed = { key: KEY, ciphertext: bytes() };
  const page = { items: [] };
  jest.mocked(aliases.listAliases).mockResolvedValue(page);
  jest.mocked(grants.createGrant).mockResolvedValue({ grantId: 'id', token: 'token' });
  jest.mocked(grants.listGrants).mockResolvedValue(page);
  jest.mocked(grants.listRetirableGrants).mockResolvedValue(page);
  jest.mocked(tags.listTags).mockResolvedValue(page);
  jest.mocked(keys.createKey).mockResolvedValue(KEY);
  jest.mocked(keys.describeKey).mockResolvedValue(KEY);
  jest.mocked(keys.listKeys).mockResolvedValue(page);
  jest.mocked(data.encrypt).mockResolvedValue(sealed);
  jest
    .mocked(data.decrypt)
    .mockImplementation(async () => ({ key: KEY, version: KEY.current, plaintext: bytes() }));
  jest.mocked(dataKeys.generateDataKey).mockImplementation(async () => ({ ...sealed, plaintext: bytes() }));
  jest.mocked(dataKeys.generateDataKeyWithoutPlaintext).mockResolvedValue(sealed);
  const pair = { key: KEY, spec: 'RSA_2048', publicKey: bytes(), privateKeyCiphertext: bytes() } as const;
  jest.mocked(dataKeyPairs.generateDataKeyPair).mockResolvedValue(pair);
  jest.mocked(dataKeyPairs.generateDataKeyPairWithoutPlaintext).mockResolvedValue(pair);
  jest.mocked(random.generateRandom).mockImplementation(async () => bytes());
});

const NAMES = [...OPERATIONS.values()].map(({ name }) => name);
const operation = fc.constantFrom(...NAMES);

/** Members that requests have, with values that are often right and sometimes anything. */
const value = (...usual: fc.Arbitrary<unknown>[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.oneof(...usual) }, { weight: 1, arbitrary: fc.jsonValue() });
const blob = fc.uint8Array({ maxLength: 64 }).map((some) => Buffer.from(some).toString('base64'));
const request = fc.record(
  {
    KeyId: value(fc.string({ maxLength: 40 })),
    TargetKeyId: value(fc.string({ maxLength: 40 })),
    AliasName: value(fc.constant('alias/a')),
    Plaintext: value(blob),
    CiphertextBlob: value(blob),
    EncryptionContext: value(fc.dictionary(fc.string(), fc.string())),
    GrantTokens: value(fc.array(fc.string())),
    KeyPairSpec: value(fc.constantFrom('RSA_2048', 'ECC_NIST_P256', 'SM2', 'toString')),
    KeySpec: value(fc.constantFrom('AES_256', 'SYMMETRIC_DEFAULT', 'RSA_2048')),
    NumberOfBytes: value(fc.integer({ min: -1, max: 1100 })),
    Limit: value(fc.integer()),
    Marker: value(fc.string()),
    DryRun: value(fc.boolean()),
    Recipient: value(fc.constant(null)),
    Tags: value(fc.array(fc.record({ TagKey: value(fc.string()), TagValue: value(fc.string()) }))),
    TagKeys: value(fc.array(fc.string())),
    Policy: value(fc.string()),
    PolicyName: value(fc.constant('default')),
    Operations: value(fc.array(fc.constantFrom('Encrypt', 'Sign', 'toString'))),
    GranteePrincipal: value(fc.constant('arn:aws:iam::111122223333:root')),
    RetiringPrincipal: value(fc.constant('arn:aws:iam::111122223333:root')),
    Constraints: value(
      fc.record(
        {
          EncryptionContextSubset: value(fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })),
          EncryptionContextEquals: value(fc.constant(null)),
        },
        { requiredKeys: [] },
      ),
    ),
    GrantId: value(fc.string()),
    GrantToken: value(fc.string()),
    Name: value(fc.string()),
  },
  { requiredKeys: [] },
);

async function expectAnswer(name: string, body: unknown): Promise<number> {
  const answer = await call(name, body);
  expect([200, 400]).toContain(answer.status);
  expect(answer.record.operation).toBe(name);
  if (answer.status === 400) {
    expect(bodyOf(answer)).toEqual({
      __type: expect.stringMatching(/^(Serialization|Validation|UnsupportedOperation)Exception$/),
      message: expect.stringMatching(/./),
    });
  }
  return answer.status;
}

it('any request that looks like one is answered, or refused as the client’s fault', async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(operation, request, async (name, body) => {
      const status = await expectAnswer(name, body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
    { numRuns: 3000 },
  );
  // Not all was refused: the operations themselves were reached.
  expect(statuses.get(200)).toBeGreaterThan(100);
});

it('any JSON is', async () => {
  await fc.assert(
    fc.asyncProperty(operation, fc.json(), async (name, json) => {
      await expectAnswer(name, Buffer.from(json));
    }),
    { numRuns: 1000 },
  );
});

it('any bytes are', async () => {
  await fc.assert(
    fc.asyncProperty(operation, fc.uint8Array({ maxLength: 200 }), async (name, some) => {
      await expectAnswer(name, Buffer.from(some));
    }),
    { numRuns: 1000 },
  );
});

const CHOICES = [
  'KeyPairSpec',
  'KeySpec',
  'CustomerMasterKeySpec',
  'KeyUsage',
  'Origin',
  'EncryptionAlgorithm',
  'MultiRegion',
  'DryRunModifiers',
  'Operations',
  'Constraints',
  'Tags',
  'GranteeServicePrincipal',
];
/** The last is a list so deep that making text of it overflows the stack. */
const TEXTLESS = ['{"toString":1,"valueOf":1}', '[[{}]]', '['.repeat(20_000) + ']'.repeat(20_000)];

it.each(CHOICES)('JSON that makes no text is refused in %s as the client’s fault', async (member) => {
  for (const name of NAMES) {
    for (const value of TEXTLESS) await expectAnswer(name, Buffer.from(`{"KeyId":"k","${member}":${value}}`));
  }
});
