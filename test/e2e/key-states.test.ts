import * as kms from '@aws-sdk/client-kms';
import { SUPPORTED } from '../../src/api/trent/operations';
import { kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const STATES = ['Enabled', 'Disabled', 'PendingDeletion'] as const;
type State = (typeof STATES)[number];

/** An exception, and what its message says of the key. */
type Refusal = readonly [exception: string, message: string];
const DISABLED: Refusal = ['DisabledException', 'is disabled.'];
const PENDING: Refusal = ['KMSInvalidStateException', 'is pending deletion.'];
const NOT_PENDING: Refusal = ['KMSInvalidStateException', 'is not pending deletion.'];

/** What refuses an operation in each state, if anything does. */
type Refusals = Readonly<Partial<Record<State, Refusal>>>;
const NEVER: Refusals = {};
const IF_PENDING: Refusals = { PendingDeletion: PENDING };
const UNLESS_ENABLED: Refusals = { Disabled: DISABLED, PendingDeletion: PENDING };
const UNLESS_PENDING: Refusals = { Enabled: NOT_PENDING, Disabled: NOT_PENDING };

/** A key, and what there is of it before it comes into its state. */
interface Subject {
  readonly id: string;
  readonly arn: string;
  readonly alias: string;
  readonly ciphertext: Uint8Array | undefined;
}

interface Command {
  readonly input: object;
}

const PRINCIPAL = 'arn:aws:iam::111122223333:user/somebody';
const ROOT = { AWS: 'arn:aws:iam::111122223333:root' };
const STATEMENT = { Effect: 'Allow', Principal: ROOT, Action: 'kms:*', Resource: '*' };
const POLICY = JSON.stringify({ Version: '2012-10-17', Statement: [STATEMENT] });
const TAG = { TagKey: 'name', TagValue: 'value' };
const PLAINTEXT = Buffer.from('data');
const KEY = { KeySpec: 'AES_256' } as const;
const PAIR = { KeyPairSpec: 'ECC_NIST_P256' } as const;

/**
 * AWS's table "Key states of AWS KMS keys", as far as it is about keys like the service's. The last column prepares what
 * else an operation needs, and makes the command that is judged.
 */
const TABLE: readonly (readonly [string, Refusals, (subject: Subject) => Command | Promise<Command>])[] = [
  ['CancelKeyDeletion', UNLESS_PENDING, ({ id: KeyId }) => new kms.CancelKeyDeletionCommand({ KeyId })],
  [
    'CreateAlias',
    IF_PENDING,
    ({ id, alias }) => new kms.CreateAliasCommand({ AliasName: `${alias}/more`, TargetKeyId: id }),
  ],
  ['CreateGrant', UNLESS_ENABLED, createGrant],
  ['Decrypt', UNLESS_ENABLED, ({ ciphertext }) => new kms.DecryptCommand({ CiphertextBlob: ciphertext })],
  [
    'Decrypt with the key named',
    UNLESS_ENABLED,
    ({ id: KeyId, ciphertext: CiphertextBlob }) => new kms.DecryptCommand({ KeyId, CiphertextBlob }),
  ],
  ['DeleteAlias', NEVER, ({ alias: AliasName }) => new kms.DeleteAliasCommand({ AliasName })],
  ['DescribeKey', NEVER, ({ id: KeyId }) => new kms.DescribeKeyCommand({ KeyId })],
  ['DisableKey', IF_PENDING, ({ id: KeyId }) => new kms.DisableKeyCommand({ KeyId })],
  ['DisableKeyRotation', UNLESS_ENABLED, ({ id: KeyId }) => new kms.DisableKeyRotationCommand({ KeyId })],
  ['EnableKey', IF_PENDING, ({ id: KeyId }) => new kms.EnableKeyCommand({ KeyId })],
  ['EnableKeyRotation', UNLESS_ENABLED, ({ id: KeyId }) => new kms.EnableKeyRotationCommand({ KeyId })],
  ['Encrypt', UNLESS_ENABLED, ({ id: KeyId }) => new kms.EncryptCommand({ KeyId, Plaintext: PLAINTEXT })],
  ['GenerateDataKey', UNLESS_ENABLED, ({ id: KeyId }) => new kms.GenerateDataKeyCommand({ KeyId, ...KEY })],
  [
    'GenerateDataKeyPair',
    UNLESS_ENABLED,
    ({ id: KeyId }) => new kms.GenerateDataKeyPairCommand({ KeyId, ...PAIR }),
  ],
  [
    'GenerateDataKeyPairWithoutPlaintext',
    UNLESS_ENABLED,
    ({ id: KeyId }) => new kms.GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, ...PAIR }),
  ],
  [
    'GenerateDataKeyWithoutPlaintext',
    UNLESS_ENABLED,
    ({ id: KeyId }) => new kms.GenerateDataKeyWithoutPlaintextCommand({ KeyId, ...KEY }),
  ],
  ['GetKeyLastUsage', NEVER, ({ id: KeyId }) => new kms.GetKeyLastUsageCommand({ KeyId })],
  ['GetKeyPolicy', NEVER, ({ id: KeyId }) => new kms.GetKeyPolicyCommand({ KeyId })],
  ['GetKeyRotationStatus', NEVER, ({ id: KeyId }) => new kms.GetKeyRotationStatusCommand({ KeyId })],
  ['ListAliases', NEVER, ({ id: KeyId }) => new kms.ListAliasesCommand({ KeyId })],
  ['ListGrants', NEVER, ({ id: KeyId }) => new kms.ListGrantsCommand({ KeyId })],
  ['ListKeyPolicies', NEVER, ({ id: KeyId }) => new kms.ListKeyPoliciesCommand({ KeyId })],
  ['ListKeyRotations', NEVER, ({ id: KeyId }) => new kms.ListKeyRotationsCommand({ KeyId })],
  ['ListResourceTags', NEVER, ({ id: KeyId }) => new kms.ListResourceTagsCommand({ KeyId })],
  [
    'ListRetirableGrants',
    NEVER,
    async (subject) => {
      await send(createGrant(subject));
      return new kms.ListRetirableGrantsCommand({ RetiringPrincipal: PRINCIPAL });
    },
  ],
  ['PutKeyPolicy', NEVER, ({ id: KeyId }) => new kms.PutKeyPolicyCommand({ KeyId, Policy: POLICY })],
  [
    'ReEncrypt from the key',
    UNLESS_ENABLED,
    ({ ciphertext: CiphertextBlob }) =>
      new kms.ReEncryptCommand({ CiphertextBlob, DestinationKeyId: other.id }),
  ],
  [
    'ReEncrypt to the key',
    UNLESS_ENABLED,
    ({ id }) => new kms.ReEncryptCommand({ CiphertextBlob: other.ciphertext, DestinationKeyId: id }),
  ],
  [
    'RetireGrant',
    NEVER,
    async (subject) => {
      const { GrantId } = await client.send(createGrant(subject));
      return new kms.RetireGrantCommand({ KeyId: subject.arn, GrantId });
    },
  ],
  [
    'RevokeGrant',
    NEVER,
    async (subject) => {
      const { GrantId } = await client.send(createGrant(subject));
      return new kms.RevokeGrantCommand({ KeyId: subject.id, GrantId });
    },
  ],
  ['RotateKeyOnDemand', UNLESS_ENABLED, ({ id: KeyId }) => new kms.RotateKeyOnDemandCommand({ KeyId })],
  ['ScheduleKeyDeletion', IF_PENDING, ({ id: KeyId }) => new kms.ScheduleKeyDeletionCommand({ KeyId })],
  ['TagResource', IF_PENDING, ({ id: KeyId }) => new kms.TagResourceCommand({ KeyId, Tags: [TAG] })],
  [
    'UntagResource',
    IF_PENDING,
    ({ id: KeyId }) => new kms.UntagResourceCommand({ KeyId, TagKeys: [TAG.TagKey] }),
  ],
  [
    'UpdateAlias to the key',
    IF_PENDING,
    ({ id }) => new kms.UpdateAliasCommand({ AliasName: other.alias, TargetKeyId: id }),
  ],
  [
    'UpdateAlias away from the key',
    NEVER,
    ({ alias: AliasName }) => new kms.UpdateAliasCommand({ AliasName, TargetKeyId: other.id }),
  ],
  [
    'UpdateKeyDescription',
    IF_PENDING,
    ({ id: KeyId }) => new kms.UpdateKeyDescriptionCommand({ KeyId, Description: 'new' }),
  ],
];

function createGrant({ id: KeyId }: Subject) {
  const principals = { GranteePrincipal: PRINCIPAL, RetiringPrincipal: PRINCIPAL };
  return new kms.CreateGrantCommand({ KeyId, ...principals, Operations: ['Decrypt'] });
}

let client: kms.KMSClient;
/** A key that stays enabled. */
let other: Subject;
let subjects = 0;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  other = await createSubject();
});

const send = (command: Command) => client.send(command as kms.EncryptCommand);

async function createSubject(): Promise<Subject> {
  const { KeyMetadata } = await client.send(new kms.CreateKeyCommand({}));
  const id = String(KeyMetadata?.KeyId);
  subjects += 1;
  const alias = `alias/subject-${subjects}`;
  await client.send(new kms.CreateAliasCommand({ AliasName: alias, TargetKeyId: id }));
  const encrypted = await client.send(new kms.EncryptCommand({ KeyId: id, Plaintext: PLAINTEXT }));
  return { id, arn: String(KeyMetadata?.Arn), alias, ciphertext: encrypted.CiphertextBlob };
}

async function bringInto(state: State, KeyId: string): Promise<void> {
  if (state === 'Disabled') await client.send(new kms.DisableKeyCommand({ KeyId }));
  if (state === 'PendingDeletion') await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId }));
  const { KeyMetadata } = await client.send(new kms.DescribeKeyCommand({ KeyId }));
  expect(KeyMetadata).toMatchObject({ KeyState: state, Enabled: state === 'Enabled' });
}

it('the table has every operation that is about a key', () => {
  const aboutNoKey = ['CreateKey', 'GenerateRandom', 'ListKeys'];
  const inTable = TABLE.map(([name]) => name.split(' ', 1)[0]);
  expect([...new Set([...inTable, ...aboutNoKey])].sort()).toEqual(SUPPORTED.map(({ name }) => name).sort());
});

describe.each(STATES)('a key that is %s', (state) => {
  const row = ([name, refusals, prepare]: (typeof TABLE)[number]) => {
    const refusal = refusals[state];
    return [refusal ? 'refuses' : 'takes', name, refusal, prepare] as const;
  };

  it.each(TABLE.map(row))('%s %s', async (_what, _name, refusal, prepare) => {
    const subject = await createSubject();
    const command = await prepare(subject);
    await bringInto(state, subject.id);
    if (refusal) {
      const [name, message] = refusal;
      const refused = { name, status: 400, message: `${subject.arn} ${message}` };
      expect(await refusalOf(send(command))).toMatchObject(refused);
    } else {
      expect((await send(command)).$metadata.httpStatusCode).toBe(200);
    }
  });
});
