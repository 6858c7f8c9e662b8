// What policies may ask of a request, by the names that AWS gives it.
import { createAlias } from '../../../src/kms/aliases';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair } from '../../../src/kms/data-key-pairs';
import { createGrant, revokeGrant } from '../../../src/kms/grants';
import { scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { putKeyPolicy } from '../../../src/kms/key-policies';
import { createKey, describeKey } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import { generateRandom } from '../../../src/kms/random';
import { enableKeyRotation } from '../../../src/kms/rotation';
import { tagKey, untagKey } from '../../../src/kms/tags';
import { policyOf } from '../access/policies';
import { codeOf, context, newCall, UNKNOWN_ID } from './fixture';
import { ALICE, alice, aliceCalls, nobody, withKey } from './users';

type Ask = (kms: Kms, call: Call, keyId: string) => Promise<unknown>;
type Values = string | readonly string[] | boolean | number;

/** The key is called alias/app, and has the tag `team` of the value `blue`. */
async function withNamedKey(policy?: string) {
  const { kms, key } = await withKey(policy);
  await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
  await tagKey(kms, newCall(), { keyId: key.id, tags: [{ name: 'team', value: 'blue' }] });
  return { kms, key };
}

const encryptFor =
  (pairs: Record<string, string> = {}, named?: string): Ask =>
  (kms, call, keyId) =>
    encrypt(kms, call, {
      keyId: named ?? keyId,
      plaintext: Buffer.from('data'),
      authenticated: context(pairs),
      dryRun: false,
    });

const decryptIt: Ask = async (kms, call, keyId) => {
  const tenant = context({ tenant: 'acme' });
  const data = { keyId, plaintext: Buffer.from('data'), authenticated: tenant, dryRun: false };
  const { ciphertext } = await encrypt(kms, newCall(), data);
  return decrypt(kms, call, { ciphertext, authenticated: tenant, dryRun: false });
};

const pair: Ask = (kms, call, keyId) =>
  generateDataKeyPair(kms, call, {
    keyId,
    spec: 'ECC_NIST_P256',
    authenticated: context(),
    dryRun: false,
  });

const grant: Ask = (kms, call, keyId) =>
  createGrant(kms, call, {
    keyId,
    granteePrincipal: ALICE,
    retiringPrincipal: 'arn:aws:iam::111122223333:user/bob',
    operations: ['Encrypt', 'Decrypt'],
    constraints: { kind: 'subset', pairs: new Map([['tenant', 'acme']]) },
    dryRun: false,
  });

const revoke: Ask = async (kms, call, keyId) => {
  const request = { keyId, granteePrincipal: ALICE, operations: ['Encrypt'], dryRun: false } as const;
  const { grantId } = await createGrant(kms, newCall(), request);
  await revokeGrant(kms, call, { keyId, grantId, dryRun: false });
};

const make: Ask = (kms, call) =>
  createKey(kms, call, { description: '', tags: new Map([['team', 'blue']]), bypass: true });
const makePlain: Ask = (kms, call) => createKey(kms, call, { description: '' });
const tag: Ask = (kms, call, keyId) =>
  tagKey(kms, call, {
    keyId,
    tags: [
      { name: 'team', value: 'red' },
      { name: 'cost', value: '7' },
    ],
  });
const untag: Ask = (kms, call, keyId) => untagKey(kms, call, { keyId, names: ['team'] });
const schedule: Ask = (kms, call, keyId) => scheduleKeyDeletion(kms, call, { keyId, windowInDays: 7 });
const rotate: Ask = (kms, call, keyId) => enableKeyRotation(kms, call, { keyId, periodInDays: 90 });
const put: Ask = (kms, call, keyId) =>
  putKeyPolicy(kms, call, { keyId, name: 'default', policy: policyOf({}), bypass: true });
const random: Ask = (kms, call) => generateRandom(kms, call, { bytes: 1 });

const TENANT = { tenant: 'acme', purpose: 'backup' };

const TABLE: [key: string, operator: string, fits: Values, differs: Values, operation: string, ask: Ask][] = [
  ['kms:RequestAlias', 'StringEquals', 'alias/app', 'alias/a', 'Encrypt', encryptFor({}, 'alias/app')],
  ['kms:ResourceAliases', 'ForAnyValue:StringEquals', 'alias/app', 'alias/a', 'Encrypt', encryptFor()],
  ['aws:ResourceTag/team', 'StringEquals', 'blue', 'red', 'Encrypt', encryptFor()],
  ['aws:ResourceTag/TEAM', 'StringEquals', 'blue', 'red', 'Decrypt', decryptIt],
  ['aws:RequestTag/cost', 'StringEquals', '7', '8', 'TagResource', tag],
  ['aws:RequestTag/team', 'StringEquals', 'blue', 'red', 'CreateKey', make],
  ['aws:TagKeys', 'ForAllValues:StringEquals', ['team', 'cost'], 'team', 'TagResource', tag],
  ['aws:TagKeys', 'ForAnyValue:StringEquals', 'team', 'cost', 'UntagResource', untag],
  ['aws:TagKeys', 'ForAllValues:StringEquals', 'team', 'cost', 'CreateKey', make],
  ['kms:DataKeyPairSpec', 'StringEquals', 'ECC_NIST_P256', 'RSA_2048', 'GenerateDataKeyPair', pair],
  ['kms:EncryptionAlgorithm', 'StringEquals', 'SYMMETRIC_DEFAULT', 'SM2PKE', 'Encrypt', encryptFor()],
  ['kms:EncryptionContext:tenant', 'StringEquals', 'acme', 'other', 'Encrypt', encryptFor(TENANT)],
  ['kms:EncryptionContext:tenant', 'StringEquals', 'acme', 'other', 'Decrypt', decryptIt],
  [
    'kms:EncryptionContextKeys',
    'ForAllValues:StringEquals',
    ['tenant', 'purpose'],
    ['tenant'],
    'Encrypt',
    encryptFor(TENANT),
  ],
  ['kms:EncryptionContext:tenant', 'StringEquals', 'acme', 'other', 'CreateGrant', grant],
  [
    'kms:GrantOperations',
    'ForAllValues:StringEquals',
    ['Encrypt', 'Decrypt'],
    ['Encrypt'],
    'CreateGrant',
    grant,
  ],
  ['kms:GranteePrincipal', 'StringEquals', ALICE, `${ALICE}s`, 'CreateGrant', grant],
  ['kms:RetiringPrincipal', 'StringLike', '*:user/bob', '*:user/alice', 'CreateGrant', grant],
  [
    'kms:GrantConstraintType',
    'StringEquals',
    'EncryptionContextSubset',
    'EncryptionContextEquals',
    'CreateGrant',
    grant,
  ],
  ['kms:GrantIsForAWSResource', 'Bool', false, true, 'CreateGrant', grant],
  ['kms:GrantIsForAWSResource', 'Bool', false, true, 'RevokeGrant', revoke],
  [
    'kms:ScheduleKeyDeletionPendingWindowInDays',
    'NumericGreaterThanEquals',
    7,
    8,
    'ScheduleKeyDeletion',
    schedule,
  ],
  ['kms:RotationPeriodInDays', 'NumericLessThanEquals', 90, 89, 'EnableKeyRotation', rotate],
  ['kms:BypassPolicyLockoutSafetyCheck', 'Bool', true, false, 'PutKeyPolicy', put],
  ['kms:BypassPolicyLockoutSafetyCheck', 'Bool', false, true, 'CreateKey', makePlain],
  ['kms:KeySpec', 'StringEquals', 'SYMMETRIC_DEFAULT', 'RSA_2048', 'CreateKey', makePlain],
  ['kms:KeyUsage', 'StringEquals', 'ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'DescribeKey', describeKey],
  ['kms:KeyOrigin', 'StringEquals', 'AWS_KMS', 'EXTERNAL', 'CreateKey', makePlain],
  ['kms:MultiRegion', 'Bool', false, true, 'DescribeKey', describeKey],
  ['kms:CallerAccount', 'StringEquals', '111122223333', '444455556666', 'GenerateRandom', random],
  ['aws:ResourceAccount', 'StringEquals', '111122223333', '444455556666', 'DescribeKey', describeKey],
  ['aws:PrincipalArn', 'ArnEquals', ALICE, `${ALICE}s`, 'DescribeKey', describeKey],
  ['aws:SourceIp', 'IpAddress', '127.0.0.0/8', '10.0.0.0/8', 'DescribeKey', describeKey],
  ['aws:SecureTransport', 'Bool', false, true, 'GenerateRandom', random],
  [
    'aws:CurrentTime',
    'DateLessThan',
    '9999-01-01T00:00:00Z',
    '2020-01-01T00:00:00Z',
    'DescribeKey',
    describeKey,
  ],
  ['aws:EpochTime', 'NumericGreaterThan', 1577836800, 99999999999, 'DescribeKey', describeKey],
];

describe.each(TABLE)('%s, %s %j but not %j, of %s', (key, operator, fits, differs, operation, ask) => {
  const under = (value: Values) => ({ Condition: { [operator]: { [key]: value } } });

  async function outcome(call: Call, policy?: string): Promise<string> {
    const { kms, key: named } = await withNamedKey(policy);
    return ask(kms, call, named.id).then(
      () => 'done',
      ({ code }) => code,
    );
  }
  const refused = operation === 'Decrypt' ? 'CIPHERTEXT_KEY_OUT_OF_REACH' : 'ACCESS_DENIED';

  it('counts in identity policies', async () => {
    const others = { Action: undefined, NotAction: `kms:${operation}` };
    expect(await outcome(aliceCalls(operation, under(fits), others))).toBe('done');
    expect(await outcome(aliceCalls(operation, under(differs), others))).toBe(refused);
  });

  // There is no key policy in the others.
  if (['CreateKey', 'GenerateRandom'].includes(operation)) return;

  it('counts in key policies', async () => {
    const policy = (value: Values) => policyOf({}, { Principal: { AWS: ALICE }, ...under(value) });
    expect(await outcome(newCall(nobody, operation), policy(fits))).toBe('done');
    expect(await outcome(newCall(nobody, operation), policy(differs))).toBe(refused);
  });
});

describe('what a request does not have', () => {
  const under = (operator: string, key: string, value: string) =>
    alice({ Condition: { [operator]: { [key]: value } } });

  it.each([
    ['kms:RequestAlias', 'alias/app'],
    ['kms:EncryptionContext:tenant', 'acme'],
    ['kms:DataKeyPairSpec', 'RSA_2048'],
    ['aws:RequestTag/team', 'blue'],
    ['aws:ResourceTag/cost', '7'],
  ])('%s, is equal to nothing', async (key, value) => {
    const { kms, key: named } = await withNamedKey();
    const ask = (operator: string) =>
      encryptFor()(kms, newCall(under(operator, key, value), 'Encrypt'), named.id);
    expect(await codeOf(ask('StringEquals'))).toBe('ACCESS_DENIED');
    await expect(ask('StringEqualsIfExists')).resolves.toBeDefined();
  });

  it('includes the tags and aliases of a key that is not there', async () => {
    const { kms } = await withNamedKey();
    for (const [operator, key, value] of [
      ['StringEquals', 'aws:ResourceTag/team', 'blue'],
      ['ForAnyValue:StringEquals', 'kms:ResourceAliases', 'alias/app'],
    ] as const) {
      const call = newCall(under(operator, key, value), 'DescribeKey');
      expect(await codeOf(describeKey(kms, call, UNKNOWN_ID))).toBe('ACCESS_DENIED');
    }
  });
});

it('tags and aliases count as they are now', async () => {
  const { kms, key } = await withNamedKey();
  const ask = () =>
    describeKey(
      kms,
      aliceCalls('DescribeKey', { Condition: { StringEquals: { 'aws:ResourceTag/team': 'blue' } } }),
      key.id,
    );
  await ask();
  await untagKey(kms, newCall(), { keyId: key.id, names: ['team'] });
  expect(await codeOf(ask())).toBe('ACCESS_DENIED');
});
