import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GetKeyLastUsageCommand,
  GetKeyRotationStatusCommand,
  type KMSClient,
  ListAliasesCommand,
  ListKeyRotationsCommand,
  ListKeysCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { diagnosis } from '../support/doctor';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import {
  type Cluster,
  decrypt,
  destruction,
  encrypt,
  inStore,
  linesOf,
  siteTime,
} from '../support/life-cycle';
import { startServer } from '../support/server';
import { createShimSite, SERVICE_OBJECTS, tokenObjects } from '../support/site';

const NO_KEY = '00000000-0000-4000-8000-000000000000';
const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const DAY = 86_400_000;
/** Of an unforeseen kind. */
const CKR_FUNCTION_NOT_SUPPORTED = 0x54;
const BEGUN = 'destroying a key whose deletion is due';
const DESTROYED = 'key destroyed';

let site: Awaited<ReturnType<typeof createShimSite>>;
let cluster: Cluster;
let client: KMSClient;

async function start(): Promise<void> {
  const server = await startServer(site, {
    P11KMS_TOKEN_TIMEOUT_MS: '1000',
    P11KMS_KEY_PAIR_TIMEOUT_MS: '1000',
  });
  client = kmsClient(server);
  cluster = { servers: [server], clients: [client], time: siteTime(site) };
}

beforeAll(async () => {
  site = await createShimSite();
  await start();
});

const schedule = (KeyId: string, PendingWindowInDays?: number) =>
  client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays }));
const cancel = (KeyId: string) => client.send(new CancelKeyDeletionCommand({ KeyId }));
const describeKey = async (KeyId: string) =>
  (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;
const logged = (message: string, keyId: string) =>
  cluster.servers[0]?.logged((line) => line.message === message && line.keyId === keyId, 15_000);

describe('ScheduleKeyDeletion', () => {
  it.each([
    ['30 days where the request does not say', undefined, 30],
    ['7 days', 7, 7],
    ['30 days', 30, 30],
  ])('waits %s', async (_what, asked, days) => {
    const id = await createKey(client);
    const before = Date.now();
    const answer = await schedule(id, asked);
    expect(answer).toMatchObject({
      KeyId: `${PREFIX}:key/${id}`,
      KeyState: 'PendingDeletion',
      PendingWindowInDays: days,
    });
    const date = answer.DeletionDate?.getTime() ?? 0;
    expect(date).toBeGreaterThanOrEqual(before + days * DAY);
    expect(date).toBeLessThanOrEqual(Date.now() + days * DAY);
    expect(await describeKey(id)).toMatchObject({
      KeyState: 'PendingDeletion',
      Enabled: false,
      DeletionDate: answer.DeletionDate,
    });
  });

  it('takes the ARN of a key, and a key that is disabled', async () => {
    const id = await createKey(client);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    expect(await schedule(`${PREFIX}:key/${id}`)).toMatchObject({ KeyId: `${PREFIX}:key/${id}` });
  });
});

describe('CancelKeyDeletion', () => {
  it('leaves the key disabled; enabled again, it is as before', async () => {
    const id = await createKey(client);
    const blob = await encrypt(client, id);
    await schedule(id);
    expect(await cancel(`${PREFIX}:key/${id}`)).toMatchObject({ KeyId: `${PREFIX}:key/${id}` });
    const metadata = await describeKey(id);
    expect(metadata).toMatchObject({ KeyState: 'Disabled', Enabled: false });
    expect(metadata?.DeletionDate).toBeUndefined();
    await client.send(new EnableKeyCommand({ KeyId: id }));
    expect(await decrypt(client, blob)).toBe('data');
  });
});

describe('refusals', () => {
  beforeAll(async () => {
    const target = await createKey(client);
    await client.send(new CreateAliasCommand({ AliasName: 'alias/kept', TargetKeyId: target }));
  });

  const pending = async () => {
    const id = await createKey(client);
    await schedule(id);
    return id;
  };

  it.each<[string, string, () => Promise<unknown>]>([
    ['ScheduleKeyDeletion', 'NotFoundException', () => schedule(NO_KEY)],
    ['ScheduleKeyDeletion', 'NotFoundException', () => schedule(`${PREFIX}:key/${NO_KEY}`)],
    ['ScheduleKeyDeletion', 'InvalidArnException', () => schedule('alias/kept')],
    ['ScheduleKeyDeletion', 'InvalidArnException', () => schedule(`${PREFIX}:alias/kept`)],
    ['ScheduleKeyDeletion', 'KMSInvalidStateException', async () => schedule(await pending())],
    ['ScheduleKeyDeletion', 'ValidationException', async () => schedule(await createKey(client), 6)],
    ['ScheduleKeyDeletion', 'ValidationException', async () => schedule(await createKey(client), 31)],
    ['ScheduleKeyDeletion', 'ValidationException', () => schedule('')],
    ['CancelKeyDeletion', 'NotFoundException', () => cancel(NO_KEY)],
    ['CancelKeyDeletion', 'InvalidArnException', () => cancel('alias/kept')],
    ['CancelKeyDeletion', 'InvalidArnException', () => cancel(`${PREFIX}:alias/kept`)],
    ['CancelKeyDeletion', 'KMSInvalidStateException', async () => cancel(await createKey(client))],
    ['CancelKeyDeletion', 'ValidationException', () => cancel('')],
  ])('%s: %s (%#)', async (_operation, name, attempt) => {
    expect(await refusalOf(attempt())).toMatchObject({ name, status: 400 });
  });

  it('of a store that is broken are KMSInternalException, and say nothing of it', async () => {
    const [enabled, doomed] = [await createKey(client), await pending()];
    inStore(site, (database) =>
      database.exec(
        `CREATE TRIGGER broken BEFORE UPDATE OF state ON keys BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
      ),
    );
    try {
      for (const attempt of [schedule(enabled), cancel(doomed)]) {
        const refusal = await refusalOf(attempt);
        expect(refusal).toMatchObject({ name: 'KMSInternalException', status: 500 });
        expect(refusal.message).not.toContain('disk');
      }
    } finally {
      inStore(site, (database) => database.exec('DROP TRIGGER broken'));
    }
  });
});

describe('a key that is pending deletion', () => {
  let id: string;
  let blob: Buffer;

  beforeAll(async () => {
    id = await createKey(client);
    blob = await encrypt(client, id);
    await client.send(new EnableKeyRotationCommand({ KeyId: id }));
    await client.send(new CreateAliasCommand({ AliasName: 'alias/doomed', TargetKeyId: id }));
    await schedule(id);
  });

  const pair = () => ({ KeyId: id, KeyPairSpec: 'ECC_NIST_P256' }) as const;
  const SourceEncryptionContext = {};

  it.each<[string, () => Promise<unknown>]>([
    ['Encrypt', () => encrypt(client, id)],
    ['Encrypt by its alias', () => encrypt(client, 'alias/doomed')],
    ['Encrypt, DryRun', () => client.send(new EncryptCommand({ KeyId: id, Plaintext: blob, DryRun: true }))],
    ['Decrypt', () => decrypt(client, blob)],
    ['Decrypt, named', () => client.send(new DecryptCommand({ CiphertextBlob: blob, KeyId: id }))],
    [
      'ReEncrypt from it',
      async () =>
        client.send(
          new ReEncryptCommand({
            CiphertextBlob: blob,
            SourceEncryptionContext,
            DestinationKeyId: await createKey(client),
          }),
        ),
    ],
    [
      'ReEncrypt to it',
      async () =>
        client.send(
          new ReEncryptCommand({
            CiphertextBlob: await encrypt(client, await createKey(client)),
            DestinationKeyId: id,
          }),
        ),
    ],
    ['GenerateDataKey', () => client.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256' }))],
    [
      'GenerateDataKeyWithoutPlaintext',
      () => client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId: id, KeySpec: 'AES_256' })),
    ],
    ['GenerateDataKeyPair', () => client.send(new GenerateDataKeyPairCommand(pair()))],
    [
      'GenerateDataKeyPairWithoutPlaintext',
      () => client.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair())),
    ],
    ['EnableKey', () => client.send(new EnableKeyCommand({ KeyId: id }))],
    ['DisableKey', () => client.send(new DisableKeyCommand({ KeyId: id }))],
    ['EnableKeyRotation', () => client.send(new EnableKeyRotationCommand({ KeyId: id }))],
    ['DisableKeyRotation', () => client.send(new DisableKeyRotationCommand({ KeyId: id }))],
    ['RotateKeyOnDemand', () => client.send(new RotateKeyOnDemandCommand({ KeyId: id }))],
  ])('is for no %s', async (_operation, attempt) => {
    expect(await refusalOf(attempt())).toMatchObject({
      name: 'KMSInvalidStateException',
      status: 400,
      message: `${PREFIX}:key/${id} is pending deletion.`,
    });
  });

  it('can still be looked at', async () => {
    expect(await describeKey('alias/doomed')).toMatchObject({ KeyId: id, KeyState: 'PendingDeletion' });
    const status = await client.send(new GetKeyRotationStatusCommand({ KeyId: id }));
    expect(status).toMatchObject({ KeyId: id, KeyRotationEnabled: false });
    expect(status.NextRotationDate).toBeUndefined();
    const { Rotations } = await client.send(new ListKeyRotationsCommand({ KeyId: id }));
    expect(Rotations).toEqual([]);
    const usage = await client.send(new GetKeyLastUsageCommand({ KeyId: id }));
    expect(usage.KeyLastUsage).toMatchObject({ Operation: 'Encrypt' });
    const { Aliases } = await client.send(new ListAliasesCommand({ KeyId: id }));
    expect(Aliases).toMatchObject([{ AliasName: 'alias/doomed' }]);
  });

  it('lets its aliases go; its rotation is back when the deletion is cancelled', async () => {
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/doomed' }));
    await cancel(id);
    const status = await client.send(new GetKeyRotationStatusCommand({ KeyId: id }));
    expect(status).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 365 });
  });
});

describe('a key whose deletion is due', () => {
  it('is destroyed, and nothing else is', async () => {
    const kept = await createKey(client);
    const blob = await encrypt(client, kept);
    const before = tokenObjects(site).sort();
    const id = await destruction(cluster);
    const after = new Set(tokenObjects(site));
    // Only what was made later has come; nothing has gone.
    expect(before.filter((object) => !after.has(object))).toEqual([]);
    expect(await decrypt(client, blob)).toBe('data');
    for (const attempt of [describeKey(id), schedule(id), cancel(id), encrypt(client, id)]) {
      expect(await exceptionOf(attempt)).toBe('NotFoundException');
    }
    const { Keys = [] } = await client.send(new ListKeysCommand({ Limit: 1000 }));
    expect(Keys.map(({ KeyId }) => KeyId)).not.toContain(id);
    const rows = inStore(site, (database) =>
      database.prepare('SELECT state FROM keys WHERE id = ?').pluck().all(id),
    );
    expect(rows).toEqual(['deleted']);
    const versions = inStore(site, (database) =>
      database.prepare('SELECT count(*) FROM key_versions').pluck().get(),
    );
    // Two objects to a version, and the service key.
    expect(tokenObjects(site)).toHaveLength(2 * Number(versions) + SERVICE_OBJECTS);
  });

  it('can no longer be saved once its destruction has begun; its aliases are free in the end', async () => {
    const id = await createKey(client);
    await client.send(new CreateAliasCommand({ AliasName: 'alias/going', TargetKeyId: id }));
    await schedule(id);
    // This one is due by the wall clock alone.
    const early = await createKey(client);
    await schedule(early, 7);
    inStore(site, (database) => database.exec(`UPDATE keys SET deletion_at = 1 WHERE id = '${early}'`));
    await cluster.time.deletionDue(id);
    await logged(BEGUN, id);
    expect(await describeKey(id)).toMatchObject({ KeyState: 'PendingDeletion' });
    expect(await exceptionOf(cancel(id))).toBe('KMSInvalidStateException');
    expect(await exceptionOf(schedule(id))).toBe('KMSInvalidStateException');
    // Nobody sets this one's time: it goes by itself.
    await logged(DESTROYED, id);
    expect(linesOf(cluster, BEGUN, early)).toEqual([]);
    await cancel(early);
    await client.send(new CreateAliasCommand({ AliasName: 'alias/going', TargetKeyId: early }));
  });

  it('is destroyed in the end though the token fails in between', async () => {
    const id = await createKey(client);
    const before = tokenObjects(site).length;
    await schedule(id);
    await cluster.time.deletionDue(id);
    await logged(BEGUN, id);
    site.shim.set(`C_DestroyObject skip=1 fail=${CKR_FUNCTION_NOT_SUPPORTED} times=1`);
    await cluster.time.drained(id);
    await logged(DESTROYED, id);
    site.shim.clear();
    expect(tokenObjects(site)).toHaveLength(before - 2);
    const failures = cluster.servers[0]
      ?.log()
      .filter(({ message }) => message === 'destroying keys failed; will try again');
    expect(failures).toHaveLength(1);
  });

  it('is destroyed after a crash in between', async () => {
    const id = await createKey(client);
    const before = tokenObjects(site).length;
    await schedule(id);
    await cluster.time.deletionDue(id);
    await logged(BEGUN, id);
    await cluster.servers[0]?.kill();
    await start();
    await cluster.time.drained(id);
    await logged(DESTROYED, id);
    expect(linesOf(cluster, BEGUN, id)).toEqual([]);
    expect(tokenObjects(site)).toHaveLength(before - 2);
  });

  it('leaves nothing on the token that no key accounts for', async () => {
    await cluster.servers[0]?.terminate();
    expect(await diagnosis(site)).toMatchObject({ code: 0, canRun: true, unknownObjects: [] });
  });
});
