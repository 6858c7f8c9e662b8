import * as kms from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { attachPolicy, createUser } from '../support/principals';
import { type Server, startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const ACCOUNT = 'arn:aws:iam::111122223333';
const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
const ALICE = `${ACCOUNT}:user/alice`;
const BOB = `${ACCOUNT}:user/bob`;
const Plaintext = Buffer.from('data');
const CONTEXT = { Department: 'Finance', Purpose: 'Test' };

let site: Site;
let server: Server;
let root: kms.KMSClient;
/** May do everything with keys whose policies let the account decide, but destroy them. */
let alice: kms.KMSClient;
/** Has no policy. */
let bob: kms.KMSClient;

beforeAll(async () => {
  site = createSite();
  server = await startServer(site);
  root = kmsClient(server);
  alice = kmsClient({ url: server.url, credentials: await createUser(site, 'alice') });
  bob = kmsClient({ url: server.url, credentials: await createUser(site, 'bob') });
  await attachPolicy(
    site,
    'alice',
    { Action: 'kms:*' },
    { Effect: 'Deny', Action: 'kms:ScheduleKeyDeletion' },
  );
});

const encrypt = (KeyId: string, EncryptionContext?: Record<string, string>) =>
  new kms.EncryptCommand({ KeyId, Plaintext, ...(EncryptionContext && { EncryptionContext }) });

/** A key whose policy has these statements beside the one that lets root do everything. */
async function keyWithPolicy(...statements: object[]): Promise<string> {
  const forRoot = { Effect: 'Allow', Principal: { AWS: `${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [forRoot, ...statements] });
  const KeyId = await createKey(root);
  await root.send(new kms.PutKeyPolicyCommand({ KeyId, Policy }));
  return KeyId;
}

describe('a key with the default policy', () => {
  let keyId: string;
  beforeAll(async () => {
    keyId = await createKey(root);
  });

  it('is for whom identity policies allow it', async () => {
    const { CiphertextBlob } = await alice.send(encrypt(keyId));
    expect((await alice.send(new kms.DecryptCommand({ CiphertextBlob }))).Plaintext).toEqual(
      new Uint8Array(Plaintext),
    );
  });

  it('is for nobody else, who is told so in the words of AWS', async () => {
    expect(await refusalOf(bob.send(encrypt(keyId)))).toMatchObject({
      name: 'AccessDeniedException',
      status: 400,
      message:
        `User: ${BOB} is not authorized to perform: kms:Encrypt on resource: ${PREFIX}:key/${keyId} ` +
        'because no identity-based policy allows the kms:Encrypt action',
    });
  });

  it('is not for what a policy denies', async () => {
    const deletion = new kms.ScheduleKeyDeletionCommand({ KeyId: keyId });
    expect((await refusalOf(alice.send(deletion))).message).toBe(
      `User: ${ALICE} is not authorized to perform: kms:ScheduleKeyDeletion on resource: ${PREFIX}:key/${keyId} ` +
        'with an explicit deny in an identity-based policy',
    );
  });

  it('is no different from one that is not there, for who may use neither', async () => {
    const known = await refusalOf(bob.send(encrypt(keyId)));
    const unknown = await refusalOf(bob.send(encrypt(UNKNOWN_ID)));
    expect(unknown.message).toBe(known.message.replace(keyId, UNKNOWN_ID));
    expect(await exceptionOf(alice.send(encrypt(UNKNOWN_ID)))).toBe('NotFoundException');
  });

  it('does not show by an alias that it is there', async () => {
    await root.send(new kms.CreateAliasCommand({ AliasName: 'alias/hidden', TargetKeyId: keyId }));
    const known = await refusalOf(bob.send(encrypt('alias/hidden')));
    const unknown = await refusalOf(bob.send(encrypt('alias/nowhere')));
    expect(known.message).toContain(`on resource: ${PREFIX}:alias/hidden `);
    expect(unknown.message).toBe(known.message.replace('hidden', 'nowhere'));
  });

  it('does not show its state to who may not use it', async () => {
    const disabled = await createKey(root);
    await root.send(new kms.DisableKeyCommand({ KeyId: disabled }));
    expect(await exceptionOf(bob.send(encrypt(disabled)))).toBe('AccessDeniedException');
    expect(await exceptionOf(alice.send(encrypt(disabled)))).toBe('DisabledException');
  });

  it('is out of reach of who has no more than a ciphertext, like a key that is not there', async () => {
    const { CiphertextBlob } = await root.send(encrypt(keyId));
    const known = await refusalOf(bob.send(new kms.DecryptCommand({ CiphertextBlob })));
    const foreign = Buffer.from(CiphertextBlob ?? []);
    foreign.fill(7, 4, 20);
    const unknown = await refusalOf(bob.send(new kms.DecryptCommand({ CiphertextBlob: foreign })));
    expect(known).toMatchObject({ name: 'AccessDeniedException' });
    expect(known.message).toMatch(/^The ciphertext refers to a customer master key that does not exist/);
    expect(unknown.message).toBe(known.message);
  });
});

describe('a key policy', () => {
  it('allows who it names, without any identity policy', async () => {
    const mine = { Effect: 'Allow', Principal: { AWS: BOB }, Action: 'kms:Encrypt', Resource: '*' };
    const KeyId = await keyWithPolicy(mine);
    await expect(bob.send(encrypt(KeyId))).resolves.toBeDefined();
    expect(await exceptionOf(bob.send(new kms.DescribeKeyCommand({ KeyId })))).toBe('AccessDeniedException');
  });

  it('denies who it names, whatever else allows', async () => {
    const never = { Effect: 'Deny', Principal: { AWS: ALICE }, Action: 'kms:Encrypt', Resource: '*' };
    const KeyId = await keyWithPolicy(never);
    await root.send(new kms.CreateGrantCommand({ KeyId, GranteePrincipal: ALICE, Operations: ['Encrypt'] }));
    expect((await refusalOf(alice.send(encrypt(KeyId)))).message).toContain(
      'with an explicit deny in a resource-based policy',
    );
  });

  it('holds under its conditions only', async () => {
    const KeyId = await keyWithPolicy({
      Effect: 'Allow',
      Principal: { AWS: BOB },
      Action: ['kms:Encrypt', 'kms:GenerateDataKeyPairWithoutPlaintext'],
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:EncryptionContext:Department': 'Finance' },
        IpAddress: { 'aws:SourceIp': '127.0.0.0/8' },
        StringLikeIfExists: { 'kms:DataKeyPairSpec': 'ECC_*' },
      },
    });
    await expect(bob.send(encrypt(KeyId, CONTEXT))).resolves.toBeDefined();
    expect(await exceptionOf(bob.send(encrypt(KeyId)))).toBe('AccessDeniedException');
    expect(await exceptionOf(bob.send(encrypt(KeyId, { Department: 'Sales' })))).toBe(
      'AccessDeniedException',
    );
    const pair = (KeyPairSpec: kms.DataKeyPairSpec) =>
      new kms.GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, KeyPairSpec, EncryptionContext: CONTEXT });
    await expect(bob.send(pair('ECC_NIST_P256'))).resolves.toBeDefined();
    expect(await exceptionOf(bob.send(pair('RSA_2048')))).toBe('AccessDeniedException');
  });

  it('is not one that would lock out who puts it', async () => {
    const KeyId = await createKey(root);
    const bobOnly = { Effect: 'Allow', Principal: { AWS: BOB }, Action: 'kms:*', Resource: '*' };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [bobOnly] });
    const put = new kms.PutKeyPolicyCommand({ KeyId, Policy });
    expect(await refusalOf(root.send(put))).toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    });
    const bypass = new kms.PutKeyPolicyCommand({ KeyId, Policy, BypassPolicyLockoutSafetyCheck: true });
    await expect(root.send(bypass)).resolves.toBeDefined();
    expect(await exceptionOf(root.send(encrypt(KeyId)))).toBe('AccessDeniedException');
    await expect(bob.send(encrypt(KeyId))).resolves.toBeDefined();
  });

  it('knows the aliases and tags of its key', async () => {
    const KeyId = await createKey(root);
    await attachPolicy(
      site,
      'bob',
      { Action: 'kms:Encrypt', Condition: { StringEquals: { 'aws:ResourceTag/team': 'bob' } } },
      {
        Action: 'kms:DescribeKey',
        Condition: { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/bob*' } },
      },
    );
    await root.send(new kms.TagResourceCommand({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'alice' }] }));
    const describe = new kms.DescribeKeyCommand({ KeyId });
    expect(await exceptionOf(bob.send(encrypt(KeyId)))).toBe('AccessDeniedException');
    expect(await exceptionOf(bob.send(describe))).toBe('AccessDeniedException');
    await root.send(new kms.TagResourceCommand({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'bob' }] }));
    await root.send(new kms.CreateAliasCommand({ AliasName: 'alias/bobs-key', TargetKeyId: KeyId }));
    await expect(bob.send(encrypt(KeyId))).resolves.toBeDefined();
    await expect(bob.send(describe)).resolves.toBeDefined();
    await attachPolicy(site, 'bob', { Action: 'kms:ListAliases' });
  });
});

describe('a grant', () => {
  it('allows its operations under its constraints, at once, and until it is revoked', async () => {
    const KeyId = await createKey(root);
    const carol = kmsClient({ url: server.url, credentials: await createUser(site, 'carol') });
    const { GrantId, GrantToken } = await root.send(
      new kms.CreateGrantCommand({
        KeyId,
        GranteePrincipal: `${ACCOUNT}:user/carol`,
        Operations: ['Encrypt', 'Decrypt'],
        Constraints: { EncryptionContextSubset: { Department: 'Finance' } },
      }),
    );
    const { CiphertextBlob } = await carol.send(encrypt(KeyId, CONTEXT));
    await carol.send(
      new kms.DecryptCommand({
        CiphertextBlob,
        EncryptionContext: CONTEXT,
        GrantTokens: [String(GrantToken)],
      }),
    );
    expect(await exceptionOf(carol.send(encrypt(KeyId)))).toBe('AccessDeniedException');
    expect(await exceptionOf(carol.send(new kms.DescribeKeyCommand({ KeyId })))).toBe(
      'AccessDeniedException',
    );
    await root.send(new kms.RevokeGrantCommand({ KeyId, GrantId }));
    expect(await exceptionOf(carol.send(encrypt(KeyId, CONTEXT)))).toBe('AccessDeniedException');
  });

  it('is retired by its retiring principal, and by a grantee whom it lets, but by no other', async () => {
    const KeyId = await createKey(root);
    const grant = (how: Partial<kms.CreateGrantCommandInput>) =>
      root.send(
        new kms.CreateGrantCommand({ KeyId, GranteePrincipal: ALICE, Operations: ['Encrypt'], ...how }),
      );
    const KeyArn = `${PREFIX}:key/${KeyId}`;
    const own = await grant({ GranteePrincipal: BOB, Operations: ['Encrypt', 'RetireGrant'] });
    const foreign = await grant({});
    const retire = (GrantId: string | undefined) => new kms.RetireGrantCommand({ KeyId: KeyArn, GrantId });
    expect(await exceptionOf(bob.send(retire(foreign.GrantId)))).toBe('AccessDeniedException');
    await bob.send(retire(own.GrantId));
    const retirable = await grant({ RetiringPrincipal: BOB });
    await bob.send(new kms.RetireGrantCommand({ GrantToken: retirable.GrantToken }));
    const { Grants } = await root.send(new kms.ListGrantsCommand({ KeyId }));
    expect(Grants?.map(({ GrantId }) => GrantId)).toEqual([foreign.GrantId]);
  });

  it('of CreateGrant gives on no more than it has', async () => {
    const KeyId = await createKey(root);
    await root.send(
      new kms.CreateGrantCommand({
        KeyId,
        GranteePrincipal: BOB,
        Operations: ['CreateGrant', 'Encrypt'],
        Constraints: { EncryptionContextSubset: { Department: 'Finance' } },
      }),
    );
    const child = (Operations: kms.GrantOperation[], EncryptionContextSubset: Record<string, string>) =>
      new kms.CreateGrantCommand({
        KeyId,
        GranteePrincipal: ALICE,
        Operations,
        Constraints: { EncryptionContextSubset },
      });
    await expect(bob.send(child(['Encrypt'], CONTEXT))).resolves.toBeDefined();
    expect(await exceptionOf(bob.send(child(['Decrypt'], CONTEXT)))).toBe('AccessDeniedException');
    expect(await exceptionOf(bob.send(child(['Encrypt'], { Purpose: 'Test' })))).toBe(
      'AccessDeniedException',
    );
  });
});

describe('what is about no key', () => {
  it('is for whom identity policies allow it', async () => {
    await expect(alice.send(new kms.ListKeysCommand({}))).resolves.toBeDefined();
    await expect(alice.send(new kms.GenerateRandomCommand({ NumberOfBytes: 8 }))).resolves.toBeDefined();
    for (const command of [
      new kms.ListKeysCommand({}),
      new kms.CreateKeyCommand({}),
      new kms.GenerateRandomCommand({ NumberOfBytes: 8 }),
      new kms.ListRetirableGrantsCommand({ RetiringPrincipal: BOB }),
    ]) {
      const refusal = await refusalOf(bob.send(command as kms.ListKeysCommand));
      expect(refusal).toMatchObject({ name: 'AccessDeniedException' });
      expect(refusal.message).toContain('on resource: * ');
    }
  });

  it('an alias needs the permission on itself and on its key', async () => {
    const KeyId = await createKey(root);
    await attachPolicy(site, 'bob', {
      Action: 'kms:*Alias',
      Resource: [`${PREFIX}:alias/bob/*`, `${PREFIX}:key/${KeyId}`],
    });
    const name = (AliasName: string) => new kms.CreateAliasCommand({ AliasName, TargetKeyId: KeyId });
    await bob.send(name('alias/bob/mine'));
    expect((await refusalOf(bob.send(name('alias/other')))).message).toContain(
      `on resource: ${PREFIX}:alias/other `,
    );
    const other = await createKey(root);
    const move = new kms.UpdateAliasCommand({ AliasName: 'alias/bob/mine', TargetKeyId: other });
    expect((await refusalOf(bob.send(move))).message).toContain(`on resource: ${PREFIX}:key/${other} `);
    await bob.send(new kms.DeleteAliasCommand({ AliasName: 'alias/bob/mine' }));
  });
});
