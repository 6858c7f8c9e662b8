import {
  CreateAliasCommand,
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  type KMSClient,
  ListKeysCommand,
  paginateListKeys,
  UpdateKeyDescriptionCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NO_KEY = '00000000-0000-4000-8000-000000000000';

let site: Site;
let server: Server;
let client: KMSClient;

beforeAll(async () => {
  site = createSite();
  server = await startServer(site);
  client = kmsClient(server);
});

async function createKey(on = client) {
  const { KeyMetadata } = await on.send(new CreateKeyCommand({}));
  return { id: String(KeyMetadata?.KeyId), arn: String(KeyMetadata?.Arn) };
}

const encrypt = (KeyId: string, on = client) =>
  on.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('data') }));

const describeKey = async (KeyId: string, on = client) =>
  (await on.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;

describe('CreateKey and DescribeKey', () => {
  it('tell all that there is to know of a key', async () => {
    const before = Date.now();
    const created = await client.send(new CreateKeyCommand({ Description: 'for the tests' }));
    const metadata = created.KeyMetadata;
    expect(metadata).toEqual({
      AWSAccountId: '111122223333',
      KeyId: expect.stringMatching(UUID),
      Arn: `arn:aws:kms:us-east-1:111122223333:key/${metadata?.KeyId}`,
      CreationDate: expect.any(Date),
      Enabled: true,
      Description: 'for the tests',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const creationDate = metadata?.CreationDate?.getTime() ?? 0;
    expect(creationDate).toBeGreaterThanOrEqual(before);
    expect(creationDate).toBeLessThanOrEqual(Date.now());
    expect(await describeKey(String(metadata?.KeyId))).toEqual(metadata);
  });

  it('take what AWS would have chosen anyway', async () => {
    const created = await client.send(
      new CreateKeyCommand({ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'AWS_KMS' }),
    );
    expect(created.KeyMetadata).toMatchObject({ Description: '', KeySpec: 'SYMMETRIC_DEFAULT' });
  });

  it.each<CreateKeyCommandInput>([
    { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
    { Origin: 'EXTERNAL' },
    { MultiRegion: true },
  ])('refuse %j, which is not there yet', async (input) => {
    expect(await refusalOf(client.send(new CreateKeyCommand(input)))).toMatchObject({
      name: 'UnsupportedOperationException',
      status: 400,
    });
  });
});

describe('a key', () => {
  it('is found by its id, its ARN, its aliases and their ARNs', async () => {
    const { id, arn } = await createKey();
    await client.send(new CreateAliasCommand({ AliasName: 'alias/by-name', TargetKeyId: id }));
    const names = [id, arn, 'alias/by-name', 'arn:aws:kms:us-east-1:111122223333:alias/by-name'];
    const { CiphertextBlob } = await encrypt(id);
    for (const KeyId of names) {
      expect(await describeKey(KeyId)).toMatchObject({ KeyId: id, Arn: arn });
      expect(await encrypt(KeyId)).toMatchObject({ KeyId: arn });
      const opened = await client.send(new DecryptCommand({ KeyId, CiphertextBlob }));
      expect(opened).toMatchObject({ KeyId: arn });
      const pair = new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
      expect(await client.send(pair)).toMatchObject({ KeyId: arn });
    }
  });

  it.each([
    NO_KEY,
    `arn:aws:kms:us-east-1:111122223333:key/${NO_KEY}`,
    'alias/nobody',
    'arn:aws:kms:us-east-1:111122223333:alias/nobody',
    'arn:aws:kms:eu-west-1:111122223333:alias/by-name',
    'arn:aws:kms:us-east-1:444455556666:alias/by-name',
    'by-name',
    '__proto__',
  ])('is not found as %s', async (KeyId) => {
    expect(await refusalOf(describeKey(KeyId))).toMatchObject({ name: 'NotFoundException', status: 400 });
    expect(await exceptionOf(encrypt(KeyId))).toBe('NotFoundException');
  });

  it('keeps its material id, which answers name, through a restart', async () => {
    const { id } = await createKey();
    const data = await client.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256' }));
    const materialId = data.KeyMaterialId;
    expect(materialId).toMatch(/^[0-9a-f]{64}$/);
    const other = await createKey();
    expect((await describeKey(other.id))?.CurrentKeyMaterialId).not.toBe(materialId);

    await server.terminate();
    server = await startServer(site);
    client = kmsClient(server);
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: data.CiphertextBlob }));
    expect(opened).toMatchObject({ Plaintext: data.Plaintext, KeyMaterialId: materialId });
    expect(await describeKey(id)).toMatchObject({ CurrentKeyMaterialId: materialId });
    const pair = { KeyId: id, KeyPairSpec: 'ECC_NIST_P256' } as const;
    for (const command of [
      new GenerateDataKeyPairCommand(pair),
      new GenerateDataKeyPairWithoutPlaintextCommand(pair),
    ]) {
      expect(await client.send(command as GenerateDataKeyPairCommand)).toMatchObject({
        KeyMaterialId: materialId,
      });
    }
  });
});

describe('UpdateKeyDescription', () => {
  const update = (KeyId: string, Description: string) =>
    client.send(new UpdateKeyDescriptionCommand({ KeyId, Description }));

  it('changes what a key is said to be, by its id or ARN', async () => {
    const { id, arn } = await createKey();
    expect(await update(id, 'for the tests')).toEqual({
      $metadata: expect.objectContaining({ httpStatusCode: 200 }),
    });
    expect(await describeKey(id)).toMatchObject({ Description: 'for the tests', KeyState: 'Enabled' });
    await update(arn, '');
    expect(await describeKey(id)).toMatchObject({ Description: '' });
  });

  it.each([
    ['an alias', 'alias/by-name', 'x', 'InvalidArnException'],
    ['a key that does not exist', NO_KEY, 'x', 'NotFoundException'],
    ['8193 characters', NO_KEY, 'x'.repeat(8193), 'ValidationException'],
  ])('refuses %s', async (_what, keyId, description, name) => {
    expect(await refusalOf(update(keyId, description))).toMatchObject({ name, status: 400 });
  });
});

describe('a disabled key', () => {
  it('is for nothing until it is enabled again', async () => {
    const { id } = await createKey();
    const { CiphertextBlob } = await encrypt(id);
    const pair = { KeyId: id, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const uses = {
      Encrypt: () => encrypt(id),
      Decrypt: () => client.send(new DecryptCommand({ CiphertextBlob })),
      'Decrypt, named': () => client.send(new DecryptCommand({ CiphertextBlob, KeyId: id })),
      GenerateDataKey: () => client.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_128' })),
      GenerateDataKeyWithoutPlaintext: () =>
        client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId: id, KeySpec: 'AES_128' })),
      GenerateDataKeyPair: () => client.send(new GenerateDataKeyPairCommand(pair)),
      GenerateDataKeyPairWithoutPlaintext: () =>
        client.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair)),
    };

    await client.send(new DisableKeyCommand({ KeyId: id }));
    expect(await describeKey(id)).toMatchObject({ Enabled: false, KeyState: 'Disabled' });
    for (const use of Object.values(uses)) {
      expect(await refusalOf(use())).toMatchObject({ name: 'DisabledException', status: 400 });
    }
    // Twice is once.
    await client.send(new DisableKeyCommand({ KeyId: id }));

    await client.send(new EnableKeyCommand({ KeyId: id }));
    expect(await describeKey(id)).toMatchObject({ Enabled: true, KeyState: 'Enabled' });
    for (const use of Object.values(uses)) expect((await use()).$metadata.httpStatusCode).toBe(200);
    await client.send(new EnableKeyCommand({ KeyId: id }));
  });

  it('stays so through a restart', async () => {
    const { id } = await createKey();
    await client.send(new DisableKeyCommand({ KeyId: id }));
    await server.terminate();
    server = await startServer(site);
    client = kmsClient(server);
    expect(await exceptionOf(encrypt(id))).toBe('DisabledException');
  });
});

describe('ListKeys', () => {
  it('gives every key once, page by page', async () => {
    const made = await Promise.all(Array.from({ length: 7 }, () => createKey()));
    const whole = await client.send(new ListKeysCommand({}));
    expect(whole).toMatchObject({ Truncated: false });
    expect(whole.NextMarker).toBeUndefined();
    const keys = whole.Keys ?? [];
    expect(keys).toEqual(expect.arrayContaining(made.map(({ id, arn }) => ({ KeyId: id, KeyArn: arn }))));

    const pages: number[] = [];
    const found = [];
    for await (const page of paginateListKeys({ client, pageSize: 3 }, {})) {
      pages.push(page.Keys?.length ?? 0);
      found.push(...(page.Keys ?? []));
      expect(page.Truncated).toBe(page.NextMarker !== undefined);
    }
    expect(found).toEqual(keys);
    expect(pages.slice(0, -1).every((length) => length === 3)).toBe(true);
    expect(pages).toHaveLength(Math.ceil(keys.length / 3));
  });

  it('ends with a full page where that is all', async () => {
    const { Keys } = await client.send(new ListKeysCommand({}));
    const page = await client.send(new ListKeysCommand({ Limit: Keys?.length }));
    expect(page).toMatchObject({ Keys, Truncated: false });
  });

  it('refuses a marker that it never gave', async () => {
    expect(await refusalOf(client.send(new ListKeysCommand({ Marker: 'nonsense' })))).toMatchObject({
      name: 'InvalidMarkerException',
      status: 400,
    });
  });
});

describe("QKMS's ARNs", () => {
  const PREFIX = 'arn:verenc:111122223333';

  it('name keys and aliases where the settings say so', async () => {
    const qkms = kmsClient(await startServer(createSite(), { P11KMS_ARN_PREFIX: PREFIX }));
    const { id, arn } = await createKey(qkms);
    expect(arn).toBe(`${PREFIX}:key/${id}`);
    expect(await describeKey(id, qkms)).toMatchObject({ AWSAccountId: '111122223333', Arn: arn });
    await qkms.send(new CreateAliasCommand({ AliasName: 'alias/q', TargetKeyId: arn }));
    for (const KeyId of [id, arn, 'alias/q', `${PREFIX}:alias/q`]) {
      const pair = new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
      expect(await qkms.send(pair)).toMatchObject({ KeyId: arn });
    }
    expect(await exceptionOf(describeKey(`arn:aws:kms:us-east-1:111122223333:key/${id}`, qkms))).toBe(
      'NotFoundException',
    );
  });
});
