import {
  CreateAliasCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GetKeyLastUsageCommand,
  type KMSClient,
  ReEncryptCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { kmsClient, refusalOf } from '../support/kms-client';
import { encrypt } from '../support/life-cycle';
import { type Server, startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const NO_KEY = '00000000-0000-4000-8000-000000000000';
const PREFIX = 'arn:aws:kms:us-east-1:111122223333';

let site: Site;
let server: Server;
let client: KMSClient;

beforeAll(async () => {
  site = createSite();
  server = await startServer(site);
  client = kmsClient(server);
  await client.send(
    new CreateAliasCommand({ AliasName: 'alias/used', TargetKeyId: await createKey(client) }),
  );
});

const lastUsage = (KeyId: string) => client.send(new GetKeyLastUsageCommand({ KeyId }));

describe('GetKeyLastUsage', () => {
  it('of a key that was never used is empty, and tracked since the key was made', async () => {
    const id = await createKey(client);
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: id }));
    const { $metadata, ...answer } = await lastUsage(id);
    expect(answer).toEqual({
      KeyId: id,
      KeyLastUsage: {},
      KeyCreationDate: KeyMetadata?.CreationDate,
      TrackingStartDate: KeyMetadata?.CreationDate,
    });
  });

  const pair = (KeyId: string) => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }) as const;

  it.each<[string, (KeyId: string, blob: Buffer) => Promise<{ $metadata: { requestId?: string } }>]>([
    ['Encrypt', (KeyId) => client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }))],
    ['Decrypt', (_id, CiphertextBlob) => client.send(new DecryptCommand({ CiphertextBlob }))],
    ['GenerateDataKey', (KeyId) => client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))],
    [
      'GenerateDataKeyWithoutPlaintext',
      (KeyId) => client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, KeySpec: 'AES_256' })),
    ],
    ['GenerateDataKeyPair', (KeyId) => client.send(new GenerateDataKeyPairCommand(pair(KeyId)))],
    [
      'GenerateDataKeyPairWithoutPlaintext',
      (KeyId) => client.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair(KeyId))),
    ],
    [
      'ReEncrypt',
      (KeyId, CiphertextBlob) =>
        client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: KeyId })),
    ],
  ])('tells of %s', async (operation, use) => {
    const id = await createKey(client);
    const blob = await encrypt(client, id);
    const before = Date.now();
    const { $metadata } = await use(id, blob);
    const { KeyLastUsage } = await lastUsage(`${PREFIX}:key/${id}`);
    expect(KeyLastUsage).toEqual({
      Operation: operation,
      Timestamp: expect.any(Date),
      KmsRequestId: $metadata.requestId,
    });
    const at = KeyLastUsage?.Timestamp?.getTime() ?? 0;
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  it('of both keys of a ReEncrypt is the same request', async () => {
    const [from, to] = [await createKey(client), await createKey(client)];
    const command = new ReEncryptCommand({
      CiphertextBlob: await encrypt(client, from),
      DestinationKeyId: to,
    });
    const { $metadata } = await client.send(command);
    for (const id of [from, to]) {
      const { KeyLastUsage } = await lastUsage(id);
      expect(KeyLastUsage).toMatchObject({ Operation: 'ReEncrypt', KmsRequestId: $metadata.requestId });
    }
  });

  it('tells of nothing that failed, was only tried, or used no key material', async () => {
    const id = await createKey(client);
    const blob = await encrypt(client, id);
    const { KeyLastUsage } = await lastUsage(id);
    await refusalOf(
      client.send(new DecryptCommand({ CiphertextBlob: blob, EncryptionContext: { no: 'no' } })),
    );
    await refusalOf(client.send(new DecryptCommand({ CiphertextBlob: blob, DryRun: true })));
    await client.send(new DescribeKeyCommand({ KeyId: id }));
    await client.send(new DisableKeyCommand({ KeyId: id }));
    await refusalOf(encrypt(client, id));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }));
    expect((await lastUsage(id)).KeyLastUsage).toEqual(KeyLastUsage);
  });

  it('survives a restart', async () => {
    const id = await createKey(client);
    await encrypt(client, id);
    const before = await lastUsage(id);
    const unasked = await createKey(client);
    await encrypt(client, unasked);
    await server.terminate();
    server = await startServer(site);
    client = kmsClient(server);
    const after = await lastUsage(id);
    expect({ ...after, $metadata: undefined }).toEqual({ ...before, $metadata: undefined });
    expect((await lastUsage(unasked)).KeyLastUsage).toMatchObject({ Operation: 'Encrypt' });
  });

  it.each([
    ['NotFoundException', NO_KEY],
    ['NotFoundException', `${PREFIX}:key/${NO_KEY}`],
    ['InvalidArnException', 'alias/used'],
    ['InvalidArnException', `${PREFIX}:alias/used`],
    ['ValidationException', ''],
  ])('%s for %s', async (name, KeyId) => {
    expect(await refusalOf(lastUsage(KeyId))).toMatchObject({ name, status: 400 });
  });
});
