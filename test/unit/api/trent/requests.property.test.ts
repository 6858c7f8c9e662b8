import fc from 'fast-check';
import { trent } from '../../../../src/api/trent/handler';
import { OPERATIONS } from '../../../../src/api/trent/operations';
import { createAlias } from '../../../../src/kms/aliases';
import { createKey } from '../../../../src/kms/keys';
import type { Kms } from '../../../../src/kms/kms';
import { newCall, openDomain } from '../../kms/fixture';
import { ADMISSION, ask, bodyOf, HEADERS } from '../support';

// The whole service but for the token, which is a fake, and HTTP.
const KEY = 'alias/a';
let kms: Kms;
let keyId: string;

beforeEach(async () => {
  ({ kms } = await openDomain());
  ({ id: keyId } = await createKey(kms, newCall(), { description: '' }));
  await createAlias(kms, newCall(), { aliasName: KEY, targetKeyId: keyId });
});

const NAMES = [...OPERATIONS.values()].map(({ name }) => name);
const operation = fc.constantFrom(...NAMES);

/** Members that requests have, with values that are often right and sometimes anything. */
const value = (...usual: fc.Arbitrary<unknown>[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.oneof(...usual) }, { weight: 1, arbitrary: fc.jsonValue() });
/** Stands for the key's id, which is another one in each test. */
const ID = 'the id';

const blob = fc.uint8Array({ maxLength: 64 }).map((some) => Buffer.from(some).toString('base64'));
const request = fc.record(
  {
    KeyId: value(fc.constantFrom(KEY, ID), fc.string({ maxLength: 40 })),
    SourceKeyId: value(fc.constant(KEY)),
    DestinationKeyId: value(fc.constant(KEY)),
    TargetKeyId: value(fc.constant(ID), fc.string({ maxLength: 40 })),
    AliasName: value(fc.constantFrom('alias/a', 'alias/b')),
    Description: value(fc.string()),
    Plaintext: value(blob),
    CiphertextBlob: value(blob),
    EncryptionContext: value(fc.dictionary(fc.string(), fc.string())),
    // No grant is there that a token could be of.
    GrantTokens: value(fc.constant([])),
    KeyPairSpec: value(fc.constantFrom('RSA_2048', 'ECC_NIST_P256', 'SM2', 'toString')),
    KeySpec: value(fc.constantFrom('AES_256', 'SYMMETRIC_DEFAULT', 'RSA_2048')),
    NumberOfBytes: value(fc.integer({ min: -1, max: 1100 })),
    Limit: value(fc.integer()),
    Marker: value(fc.string()),
    DryRun: value(fc.boolean()),
    Recipient: value(fc.constant(null)),
    PendingWindowInDays: value(fc.integer({ min: 6, max: 31 })),
    RotationPeriodInDays: value(fc.integer({ min: 89, max: 2561 })),
    IncludeKeyMaterial: value(fc.constantFrom('ALL_KEY_MATERIAL', 'ROTATIONS_ONLY')),
    DryRunModifiers: value(fc.constant(['IGNORE_CIPHERTEXT'])),
    Tags: value(
      fc.array(fc.record({ TagKey: value(fc.uuid()), TagValue: value(fc.string()) }), { maxLength: 3 }),
    ),
    TagKeys: value(fc.array(fc.string())),
    PolicyName: value(fc.constant('default')),
    Policy: value(fc.json()),
    Operations: value(fc.array(fc.constantFrom('Encrypt', 'Decrypt', 'Sign'))),
    Constraints: value(fc.record({ EncryptionContextSubset: fc.dictionary(fc.string(), fc.string()) })),
    GranteePrincipal: value(fc.constant('arn:aws:iam::111122223333:user/a')),
    RetiringPrincipal: value(fc.constant('arn:aws:iam::111122223333:user/a')),
    Name: value(fc.string()),
    GrantId: value(fc.string()),
    GrantToken: value(fc.string()),
  },
  { requiredKeys: [] },
);

function toBody(request: unknown): Buffer {
  if (Buffer.isBuffer(request)) return request;
  return Buffer.from(JSON.stringify(request).replaceAll(`"${ID}"`, `"${keyId}"`));
}

async function expectAnswer(name: string, request: unknown): Promise<number> {
  const headers = { ...HEADERS, 'x-amz-target': `TrentService.${name}` };
  const answer = await ask(trent(kms, ADMISSION), toBody(request), headers);
  expect({ status: answer.status, error: answer.record.error }).toEqual({
    status: answer.status === 200 ? 200 : 400,
  });
  expect(answer.record.operation).toBe(name);
  if (answer.status === 400) {
    expect(bodyOf(answer)).toEqual({
      __type: expect.stringMatching(/^[A-Z][A-Za-z]+Exception$/),
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
  expect(statuses.get(200)).toBeGreaterThan(50);
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
