import {
  CreateKeyCommand,
  DisableKeyCommand,
  GetKeyPolicyCommand,
  type KMSClient,
  ListKeyPoliciesCommand,
  ListKeysCommand,
  PutKeyPolicyCommand,
  type PutKeyPolicyCommandInput,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const ROOT = 'arn:aws:iam::111122223333:root';
const NO_KEY = '00000000-0000-4000-8000-000000000000';
const LOCKOUT = 'The new key policy will not allow you to update the key policy in the future.';

let client: KMSClient;
let id: string;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  id = await createKey();
});

async function createKey(
  input: { Policy?: string; BypassPolicyLockoutSafetyCheck?: boolean } = {},
): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
  return String(KeyMetadata?.KeyId);
}

const STATEMENT = { Effect: 'Allow', Principal: { AWS: ROOT }, Action: 'kms:*', Resource: '*' };
const policyOf = (...changes: object[]) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: changes.map((change) => ({ ...STATEMENT, ...change })),
  });

const getPolicy = (KeyId: string, PolicyName?: string) =>
  client.send(new GetKeyPolicyCommand({ KeyId, PolicyName }));
const putPolicy = (KeyId: string, Policy: string, options: Partial<PutKeyPolicyCommandInput> = {}) =>
  client.send(new PutKeyPolicyCommand({ KeyId, Policy, ...options }));

it('a key has the default policy until another is put', async () => {
  const KeyId = await createKey();
  const { Policy = '', PolicyName } = await getPolicy(KeyId);
  expect(PolicyName).toBe('default');
  expect(JSON.parse(Policy)).toEqual({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [{ Sid: 'Enable IAM User Permissions', ...STATEMENT }],
  });
  const policy = policyOf({ Sid: 'mine' }, { Principal: { Service: 'ec2.amazonaws.com' } });
  expect(await putPolicy(`${PREFIX}:key/${KeyId}`, policy, { PolicyName: 'default' })).toEqual({
    $metadata: expect.objectContaining({ httpStatusCode: 200 }),
  });
  expect(await getPolicy(KeyId, 'default')).toMatchObject({ Policy: policy, PolicyName: 'default' });
  await putPolicy(KeyId, Policy);
  expect(await getPolicy(KeyId)).toMatchObject({ Policy });
});

it('a key can be made with a policy', async () => {
  const Policy = policyOf({ Sid: 'from the beginning' });
  expect(await getPolicy(await createKey({ Policy }))).toMatchObject({ Policy });
  const locked = policyOf({ Action: 'kms:GetKeyPolicy' });
  const KeyId = await createKey({ Policy: locked, BypassPolicyLockoutSafetyCheck: true });
  expect(await getPolicy(KeyId)).toMatchObject({ Policy: locked });
});

it('the only policy of a key is called default', async () => {
  expect(await client.send(new ListKeyPoliciesCommand({ KeyId: id, Limit: 1 }))).toMatchObject({
    PolicyNames: ['default'],
    Truncated: false,
  });
  for (const call of [getPolicy(id, 'other'), putPolicy(id, policyOf({}), { PolicyName: 'other' })]) {
    expect(await refusalOf(call)).toMatchObject({
      name: 'NotFoundException',
      status: 400,
      message: 'No such policy exists',
    });
  }
});

it('a policy can be read and put in every state of the key', async () => {
  const KeyId = await createKey();
  await client.send(new DisableKeyCommand({ KeyId }));
  await putPolicy(KeyId, policyOf({ Sid: 'disabled' }));
  await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
  await putPolicy(KeyId, policyOf({ Sid: 'pending deletion' }));
  expect((await getPolicy(KeyId)).Policy).toContain('pending deletion');
});

describe('a policy is refused', () => {
  const spaces = (length: number) => `${policyOf({})}${' '.repeat(length - policyOf({}).length)}`;
  const table: [what: string, policy: string, exception: string, message: string | RegExp][] = [
    ['that is not JSON', '{', 'MalformedPolicyDocumentException', 'The policy is not JSON.'],
    ['without statements', '{}', 'MalformedPolicyDocumentException', 'The policy must have a Statement.'],
    [
      'with a member that nobody knows',
      policyOf({ Actions: 'kms:*' }),
      'MalformedPolicyDocumentException',
      'Statement[0] has the unknown member "Actions".',
    ],
    [
      'of a principal that can be none',
      policyOf({}, { Principal: { AWS: 'alice' } }),
      'MalformedPolicyDocumentException',
      'Policy contains a statement with one or more invalid principals: Statement[1].Principal.AWS.',
    ],
    [
      'of a group',
      policyOf({ Principal: { AWS: 'arn:aws:iam::111122223333:group/admins' } }),
      'InvalidArnException',
      /^An ARN in the specified key policy is invalid/,
    ],
    [
      'that locks the account out',
      policyOf({ Action: 'kms:Encrypt' }),
      'MalformedPolicyDocumentException',
      LOCKOUT,
    ],
    [
      'that is for another key',
      policyOf({ Resource: `${PREFIX}:key/${NO_KEY}` }),
      'MalformedPolicyDocumentException',
      LOCKOUT,
    ],
    ['of more than 32 KiB', spaces(32_769), 'LimitExceededException', /32768 bytes/],
    ['of no length', '', 'ValidationException', /'policy'/],
    ['of more than 128 KiB', spaces(131_073), 'ValidationException', /'policy'/],
    ['with characters beyond Latin-1', policyOf({ Sid: 'ключ' }), 'ValidationException', /'policy'/],
    ['with control characters', `${policyOf({})}\u0000`, 'ValidationException', /'policy'/],
  ];

  it.each(table)('%s, for a key', async (_what, policy, name, message) => {
    const before = (await getPolicy(id)).Policy;
    const refusal = await refusalOf(putPolicy(id, policy));
    expect(refusal).toMatchObject({ name, status: 400 });
    if (typeof message === 'string') expect(refusal.message).toBe(message);
    else expect(refusal.message).toMatch(message);
    expect((await getPolicy(id)).Policy).toBe(before);
  });

  it.each(table)('%s, for a new key, which is not made', async (_what, Policy, name) => {
    const keys = async () => (await client.send(new ListKeysCommand({}))).Keys?.length;
    const before = await keys();
    expect(await exceptionOf(createKey({ Policy }))).toBe(name);
    expect(await keys()).toBe(before);
  });
});

it('the safety check can be bypassed, the grammar cannot', async () => {
  const KeyId = await createKey();
  const bypass = { BypassPolicyLockoutSafetyCheck: true };
  expect(await exceptionOf(putPolicy(KeyId, '[]', bypass))).toBe('MalformedPolicyDocumentException');
  const locked = policyOf({ Action: 'kms:GetKeyPolicy' });
  await putPolicy(KeyId, locked, bypass);
  expect((await getPolicy(KeyId)).Policy).toBe(locked);
  // Now it is too late, even for the root principal.
  for (const options of [{}, bypass]) {
    expect(await refusalOf(putPolicy(KeyId, policyOf({}), options))).toMatchObject({
      name: 'AccessDeniedException',
      message: `User: ${ROOT} is not authorized to perform: kms:PutKeyPolicy on resource: ${PREFIX}:key/${KeyId} because no resource-based policy allows the kms:PutKeyPolicy action`,
    });
  }
});

describe.each([
  ['NotFoundException', NO_KEY],
  ['InvalidArnException', 'alias/policed'],
  ['InvalidArnException', `${PREFIX}:alias/policed`],
])('%s is the answer to %s', (exception, KeyId) => {
  it.each([
    ['PutKeyPolicy', () => putPolicy(KeyId, policyOf({}))],
    ['GetKeyPolicy', () => getPolicy(KeyId)],
    ['ListKeyPolicies', () => client.send(new ListKeyPoliciesCommand({ KeyId }))],
  ])('of %s', async (_name, call) => {
    expect(await refusalOf(call())).toMatchObject({ name: exception, status: 400 });
  });
});

it.each<[string, object, string]>([
  ['a page of none', { Limit: 0 }, 'ValidationException'],
  ['a page of more than a thousand', { Limit: 1001 }, 'ValidationException'],
  ['a marker that it never gave', { Marker: 'default' }, 'InvalidMarkerException'],
])('ListKeyPolicies refuses %s', async (_what, input, exception) => {
  expect(await exceptionOf(client.send(new ListKeyPoliciesCommand({ KeyId: id, ...input })))).toBe(exception);
});

it('policy names of other forms are refused', async () => {
  for (const name of ['', 'a b', 'x'.repeat(129)]) {
    expect(await exceptionOf(getPolicy(id, name))).toBe('ValidationException');
  }
});
