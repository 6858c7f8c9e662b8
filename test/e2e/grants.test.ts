import {
  CreateGrantCommand,
  type CreateGrantCommandInput,
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  type GrantOperation,
  type KMSClient,
  ListGrantsCommand,
  ListRetirableGrantsCommand,
  paginateListGrants,
  paginateListRetirableGrants,
  RetireGrantCommand,
  type RetireGrantCommandInput,
  RevokeGrantCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const ROOT = 'arn:aws:iam::111122223333:root';
const ALICE = 'arn:aws:iam::111122223333:user/alice';
const BOB = 'arn:aws:sts::444455556666:assumed-role/admin/bob';
const NO_KEY = '00000000-0000-4000-8000-000000000000';
const NO_GRANT = '0'.repeat(64);

let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  keyId = await createKey();
});

async function createKey(): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  return String(KeyMetadata?.KeyId);
}

const createGrant = async (changes: Partial<CreateGrantCommandInput> = {}) => {
  const { GrantId = '', GrantToken = '' } = await client.send(
    new CreateGrantCommand({ KeyId: keyId, GranteePrincipal: ALICE, Operations: ['Encrypt'], ...changes }),
  );
  return { GrantId, GrantToken };
};
const listGrants = async (KeyId: string, filter: object = {}) =>
  (await client.send(new ListGrantsCommand({ KeyId, ...filter }))).Grants ?? [];
const revoke = (KeyId: string, GrantId: string, DryRun?: boolean) =>
  client.send(new RevokeGrantCommand({ KeyId, GrantId, DryRun }));
const retire = (input: RetireGrantCommandInput) => client.send(new RetireGrantCommand(input));

const NOTHING = { $metadata: expect.objectContaining({ httpStatusCode: 200 }) };

describe('CreateGrant', () => {
  it('makes a grant, which listings show', async () => {
    const KeyId = await createKey();
    const before = Date.now();
    const { GrantId, GrantToken } = await createGrant({
      KeyId: `${PREFIX}:key/${KeyId}`,
      RetiringPrincipal: BOB,
      Operations: ['Encrypt', 'Decrypt', 'DescribeKey'],
      Constraints: { EncryptionContextSubset: { Department: 'IT' } },
      Name: 'a/grant:of_mine-1',
    });
    expect(GrantId).toMatch(/^[0-9a-f]{64}$/);
    expect(GrantToken).toMatch(/^[A-Za-z0-9+/=]{1,8192}$/);
    const grants = await listGrants(KeyId);
    expect(grants).toEqual([
      {
        KeyId: `${PREFIX}:key/${KeyId}`,
        GrantId,
        Name: 'a/grant:of_mine-1',
        CreationDate: expect.any(Date),
        GranteePrincipal: ALICE,
        RetiringPrincipal: BOB,
        IssuingAccount: ROOT,
        Operations: ['Decrypt', 'DescribeKey', 'Encrypt'],
        Constraints: { EncryptionContextSubset: { Department: 'IT' } },
      },
    ]);
    expect(grants[0]?.CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(grants[0]?.CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('needs no more than a key, a grantee and operations', async () => {
    const KeyId = await createKey();
    const { GrantId } = await createGrant({ KeyId });
    expect(await listGrants(KeyId)).toEqual([
      {
        KeyId: `${PREFIX}:key/${KeyId}`,
        GrantId,
        Name: '',
        CreationDate: expect.any(Date),
        GranteePrincipal: ALICE,
        IssuingAccount: ROOT,
        Operations: ['Encrypt'],
      },
    ]);
  });

  it('with a name makes a grant once, with a new token each time', async () => {
    const KeyId = await createKey();
    const input = { KeyId, Name: 'once', Constraints: { EncryptionContextEquals: { a: '1', b: '2' } } };
    const [first, second] = [await createGrant(input), await createGrant(input)];
    expect(second.GrantId).toBe(first.GrantId);
    expect(second.GrantToken).not.toBe(first.GrantToken);
    const others = [
      await createGrant({ ...input, Name: 'twice' }),
      await createGrant({ ...input, GranteePrincipal: BOB }),
      await createGrant({ ...input, RetiringPrincipal: BOB }),
      await createGrant({ ...input, Operations: ['Decrypt'] }),
      await createGrant({ ...input, Constraints: { EncryptionContextEquals: { a: '1' } } }),
      await createGrant({ ...input, Constraints: { EncryptionContextSubset: { a: '1', b: '2' } } }),
    ];
    expect(new Set([first, ...others].map(({ GrantId }) => GrantId)).size).toBe(7);
    expect(await listGrants(KeyId)).toHaveLength(7);
  });

  it('with a name makes one grant for many that ask at once', async () => {
    const KeyId = await createKey();
    const made = await Promise.all(Array.from({ length: 8 }, () => createGrant({ KeyId, Name: 'race' })));
    expect(new Set(made.map(({ GrantId }) => GrantId)).size).toBe(1);
    expect(new Set(made.map(({ GrantToken }) => GrantToken)).size).toBe(8);
  });

  it('without a name makes another grant each time', async () => {
    const KeyId = await createKey();
    await createGrant({ KeyId });
    await createGrant({ KeyId });
    expect(await listGrants(KeyId)).toHaveLength(2);
  });

  it('with DryRun makes none', async () => {
    const KeyId = await createKey();
    expect(await refusalOf(createGrant({ KeyId, DryRun: true }))).toMatchObject({
      name: 'DryRunOperationException',
      status: 400,
    });
    expect(await listGrants(KeyId)).toEqual([]);
  });

  it.each<[string, Partial<CreateGrantCommandInput>, string]>([
    ['an unknown key', { KeyId: NO_KEY }, 'NotFoundException'],
    ['an unknown key, with DryRun', { KeyId: NO_KEY, DryRun: true }, 'NotFoundException'],
    ['an alias', { KeyId: 'alias/granted' }, 'InvalidArnException'],
    ['the ARN of an alias', { KeyId: `${PREFIX}:alias/granted` }, 'InvalidArnException'],
    ['a grantee that is no ARN', { GranteePrincipal: 'alice' }, 'InvalidArnException'],
    ['a group', { GranteePrincipal: 'arn:aws:iam::111122223333:group/g' }, 'InvalidArnException'],
    ['a retiring principal that is no ARN', { RetiringPrincipal: 'bob' }, 'InvalidArnException'],
    ['a principal with spaces', { GranteePrincipal: 'a b' }, 'ValidationException'],
    ['a long principal', { GranteePrincipal: `${ALICE}${'x'.repeat(256)}` }, 'ValidationException'],
    ['no grantee', { GranteePrincipal: undefined }, 'ValidationException'],
    ['no operations', { Operations: [] }, 'ValidationException'],
    ['an operation that there is not', { Operations: ['Dencrypt' as GrantOperation] }, 'ValidationException'],
    ['an operation for keys of other kinds', { Operations: ['Encrypt', 'Sign'] }, 'ValidationException'],
    ['a name with spaces', { Name: 'a b' }, 'ValidationException'],
    ['a long name', { Name: 'x'.repeat(257) }, 'ValidationException'],
    [
      'two constraints',
      { Constraints: { EncryptionContextEquals: {}, EncryptionContextSubset: { a: 'b' } } },
      'ValidationException',
    ],
    [
      'a constraint of nine pairs',
      { Constraints: { EncryptionContextEquals: Object.fromEntries([...'123456789'].map((n) => [n, n])) } },
      'LimitExceededException',
    ],
    [
      'a constraint with a long value',
      { Constraints: { EncryptionContextSubset: { a: 'x'.repeat(385) } } },
      'LimitExceededException',
    ],
    ['a source ARN', { Constraints: { SourceArn: 'arn:aws:s3:::b' } }, 'UnsupportedOperationException'],
    [
      'a service for a grantee',
      { GranteePrincipal: undefined, GranteeServicePrincipal: 's.amazonaws.com' },
      'UnsupportedOperationException',
    ],
    ['a retiring service', { RetiringServicePrincipal: 's.amazonaws.com' }, 'UnsupportedOperationException'],
    ['a grant token of no grant', { GrantTokens: ['token'] }, 'InvalidGrantTokenException'],
  ])('refuses %s', async (_what, changes, name) => {
    expect(await refusalOf(createGrant(changes))).toMatchObject({ name, status: 400 });
    expect(await listGrants(keyId)).toEqual([]);
  });

  it('needs an enabled key', async () => {
    const KeyId = await createKey();
    await client.send(new DisableKeyCommand({ KeyId }));
    expect(await refusalOf(createGrant({ KeyId }))).toMatchObject({
      name: 'DisabledException',
      message: `${PREFIX}:key/${KeyId} is disabled.`,
    });
    await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
    expect(await refusalOf(createGrant({ KeyId }))).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${PREFIX}:key/${KeyId} is pending deletion.`,
    });
  });
});

describe('ListGrants', () => {
  it('gives every grant of a key once, page by page, or those asked for', async () => {
    const KeyId = await createKey();
    const made: string[] = [];
    for (const GranteePrincipal of [ALICE, BOB, ALICE, BOB, ALICE]) {
      made.push((await createGrant({ KeyId, GranteePrincipal })).GrantId);
    }
    const found: (string | undefined)[] = [];
    for await (const { Grants = [] } of paginateListGrants({ client, pageSize: 2 }, { KeyId })) {
      expect(Grants.length).toBeLessThanOrEqual(2);
      found.push(...Grants.map(({ GrantId }) => GrantId));
    }
    expect([...found].sort()).toEqual([...made].sort());
    expect(await listGrants(KeyId, { GranteePrincipal: BOB })).toHaveLength(2);
    expect(await listGrants(KeyId, { GrantId: made[0] })).toMatchObject([{ GrantId: made[0] }]);
    expect(await listGrants(KeyId, { GrantId: made[0], GranteePrincipal: BOB })).toEqual([]);
    expect(await listGrants(keyId, { GrantId: made[0] })).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['an unknown key', { KeyId: NO_KEY }, 'NotFoundException'],
    ['an alias', { KeyId: 'alias/granted' }, 'InvalidArnException'],
    ['a grantee that is no ARN', { GranteePrincipal: 'alice' }, 'InvalidArnException'],
    ['an id that can be no grant', { GrantId: 'g' }, 'InvalidGrantIdException'],
    ['a marker that it never gave', { Marker: 'nonsense' }, 'InvalidMarkerException'],
    ['a page of none', { Limit: 0 }, 'ValidationException'],
    ['a page of more than a hundred', { Limit: 101 }, 'ValidationException'],
    ['a service for a grantee', { GranteeServicePrincipal: 's' }, 'UnsupportedOperationException'],
  ])('refuses %s', async (_what, changes, name) => {
    expect(await refusalOf(listGrants(keyId, changes))).toMatchObject({ name, status: 400 });
  });
});

describe('ListRetirableGrants', () => {
  const RETIRING = 'arn:aws:iam::111122223333:role/retires';

  it('gives the grants of all keys that a principal may retire, page by page', async () => {
    const keys = [await createKey(), await createKey()];
    const made: string[] = [];
    for (const KeyId of [...keys, ...keys]) {
      made.push((await createGrant({ KeyId, RetiringPrincipal: RETIRING })).GrantId);
      await createGrant({ KeyId, GranteePrincipal: RETIRING });
    }
    const found: (string | undefined)[] = [];
    const input = { RetiringPrincipal: RETIRING };
    for await (const { Grants = [] } of paginateListRetirableGrants({ client, pageSize: 3 }, input)) {
      expect(Grants.every(({ RetiringPrincipal }) => RetiringPrincipal === RETIRING)).toBe(true);
      found.push(...Grants.map(({ GrantId }) => GrantId));
    }
    expect([...found].sort()).toEqual([...made].sort());
  });

  it.each<[string, object, string]>([
    ['nobody', { RetiringPrincipal: undefined }, 'ValidationException'],
    ['a principal that is no ARN', { RetiringPrincipal: 'bob' }, 'InvalidArnException'],
    ['a marker that it never gave', { Marker: 'nonsense' }, 'InvalidMarkerException'],
    ['a page of none', { Limit: 0 }, 'ValidationException'],
    ['a page of more than a hundred', { Limit: 101 }, 'ValidationException'],
    ['a service', { RetiringServicePrincipal: 's' }, 'UnsupportedOperationException'],
  ])('refuses %s', async (_what, changes, name) => {
    const command = new ListRetirableGrantsCommand({ RetiringPrincipal: RETIRING, ...changes });
    expect(await refusalOf(client.send(command))).toMatchObject({ name, status: 400 });
  });
});

describe('RevokeGrant and RetireGrant', () => {
  it('end a grant, in every state of its key', async () => {
    const KeyId = await createKey();
    const arn = `${PREFIX}:key/${KeyId}`;
    const grants = await Promise.all(Array.from({ length: 6 }, () => createGrant({ KeyId })));
    const ways = [
      (index: number) => revoke(KeyId, grants[index]?.GrantId ?? ''),
      (index: number) => retire({ KeyId: arn, GrantId: grants[index]?.GrantId }),
      (index: number) => retire({ GrantToken: grants[index]?.GrantToken }),
    ];
    await client.send(new DisableKeyCommand({ KeyId }));
    for (const [index, way] of ways.entries()) expect(await way(index)).toEqual(NOTHING);
    await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
    for (const [index, way] of ways.entries()) expect(await way(index + 3)).toEqual(NOTHING);
    expect(await listGrants(KeyId)).toEqual([]);
    expect(await exceptionOf(revoke(KeyId, grants[0]?.GrantId ?? ''))).toBe('NotFoundException');
    expect(await exceptionOf(retire({ GrantToken: grants[0]?.GrantToken }))).toBe(
      'InvalidGrantTokenException',
    );
  });

  it('with DryRun end none', async () => {
    const KeyId = await createKey();
    const { GrantId, GrantToken } = await createGrant({ KeyId });
    for (const call of [
      revoke(KeyId, GrantId, true),
      retire({ KeyId, GrantId, DryRun: true }),
      retire({ GrantToken, DryRun: true }),
    ]) {
      expect(await exceptionOf(call)).toBe('DryRunOperationException');
    }
    expect(await listGrants(KeyId)).toHaveLength(1);
    expect(await exceptionOf(revoke(KeyId, NO_GRANT, true))).toBe('NotFoundException');
  });

  it.each<[string, RetireGrantCommandInput, string]>([
    ['an unknown key', { KeyId: NO_KEY, GrantId: NO_GRANT }, 'NotFoundException'],
    ['an alias', { KeyId: 'alias/granted', GrantId: NO_GRANT }, 'InvalidArnException'],
    ['the ARN of an alias', { KeyId: `${PREFIX}:alias/granted`, GrantId: NO_GRANT }, 'InvalidArnException'],
    ['an id that can be no grant', { GrantId: 'g' }, 'InvalidGrantIdException'],
    ['a grant that there is not', { GrantId: NO_GRANT }, 'NotFoundException'],
    ['a long id', { GrantId: '0'.repeat(129) }, 'ValidationException'],
  ])('refuse %s', async (_what, input, name) => {
    const { KeyId = keyId, GrantId = '' } = input;
    expect(await refusalOf(revoke(KeyId, GrantId))).toMatchObject({ name, status: 400 });
    expect(await refusalOf(retire({ KeyId, GrantId }))).toMatchObject({ name, status: 400 });
  });

  it('refuse the grant of another key', async () => {
    const { GrantId } = await createGrant({ KeyId: await createKey() });
    expect(await refusalOf(revoke(keyId, GrantId))).toMatchObject({
      name: 'NotFoundException',
      message: `Grant ID ${GrantId} not found`,
    });
    expect(await exceptionOf(retire({ KeyId: keyId, GrantId }))).toBe('NotFoundException');
  });

  it.each<[string, RetireGrantCommandInput, string]>([
    ['nothing', {}, 'ValidationException'],
    ['a key alone', { KeyId: NO_KEY }, 'ValidationException'],
    ['a grant alone', { GrantId: NO_GRANT }, 'ValidationException'],
    ['a token and a grant', { GrantToken: 't', GrantId: NO_GRANT }, 'ValidationException'],
    ['a token of no grant', { GrantToken: 't' }, 'InvalidGrantTokenException'],
  ])('RetireGrant refuses %s', async (_what, input, name) => {
    expect(await refusalOf(retire(input))).toMatchObject({ name, status: 400 });
  });
});

it('a grant token is good as long as its grant is there', async () => {
  const KeyId = await createKey();
  const first = await createGrant({ KeyId, Name: 'n' });
  const GrantTokens = [first.GrantToken, (await createGrant({ KeyId, Name: 'n' })).GrantToken];
  const use = (tokens: string[]) =>
    Promise.all([
      client.send(new DescribeKeyCommand({ KeyId, GrantTokens: tokens })),
      client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('data'), GrantTokens: tokens })),
      createGrant({ KeyId, Name: 'n', GrantTokens: tokens }),
    ]);
  await use(GrantTokens);
  await revoke(KeyId, first.GrantId);
  for (const token of GrantTokens) expect(await exceptionOf(use([token]))).toBe('InvalidGrantTokenException');
});
