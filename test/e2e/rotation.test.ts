import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  CreateAliasCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  GenerateDataKeyPairCommand,
  GetKeyRotationStatusCommand,
  type KMSClient,
  ListKeyRotationsCommand,
  paginateListKeyRotations,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { kmsClient, refusalOf } from '../support/kms-client';
import {
  automaticRotation,
  type Cluster,
  decrypt,
  encrypt,
  inStore,
  linesOf,
  rotationsOf,
  rotationsOnDemand,
  siteTime,
  versionOf,
} from '../support/life-cycle';
import { workersReady } from '../support/metrics';
import { eventually, startServer } from '../support/server';
import { createShimSite, tokenObjects } from '../support/site';

const NO_KEY = '00000000-0000-4000-8000-000000000000';
const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const DAY = 86_400_000;
const CKR_FUNCTION_NOT_SUPPORTED = 0x54;

let site: Awaited<ReturnType<typeof createShimSite>>;
let cluster: Cluster;
let client: KMSClient;

beforeAll(async () => {
  site = await createShimSite();
  const server = await startServer(site, {
    P11KMS_TOKEN_TIMEOUT_MS: '1000',
    P11KMS_KEY_PAIR_TIMEOUT_MS: '2000',
  });
  client = kmsClient(server);
  cluster = { servers: [server], clients: [client], time: siteTime(site) };
  await client.send(
    new CreateAliasCommand({ AliasName: 'alias/rotating', TargetKeyId: await createKey(client) }),
  );
});

afterEach(() => site.shim.clear());

const enable = (KeyId: string, RotationPeriodInDays?: number) =>
  client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays }));
const disable = (KeyId: string) => client.send(new DisableKeyRotationCommand({ KeyId }));
const statusOf = (KeyId: string) => client.send(new GetKeyRotationStatusCommand({ KeyId }));
const rotate = (KeyId: string) => client.send(new RotateKeyOnDemandCommand({ KeyId }));
const list = (KeyId: string, Marker?: string) => client.send(new ListKeyRotationsCommand({ KeyId, Marker }));

describe('EnableKeyRotation and GetKeyRotationStatus', () => {
  it.each([
    ['365 days where the request does not say', undefined, 365],
    ['90 days', 90, 90],
    ['2560 days', 2560, 2560],
  ])('rotate every %s', async (_what, asked, days) => {
    const id = await createKey(client);
    const off = await statusOf(id);
    expect(off).toMatchObject({ KeyId: id, KeyRotationEnabled: false });
    expect(off.RotationPeriodInDays).toBeUndefined();
    const before = Date.now();
    await enable(id, asked);
    const status = await statusOf(`${PREFIX}:key/${id}`);
    expect(status).toMatchObject({ KeyId: id, KeyRotationEnabled: true, RotationPeriodInDays: days });
    const next = status.NextRotationDate?.getTime() ?? 0;
    expect(next).toBeGreaterThanOrEqual(before + days * DAY);
    expect(next).toBeLessThanOrEqual(Date.now() + days * DAY);
  });

  it('let it be turned off', async () => {
    const id = await createKey(client);
    await enable(id);
    await disable(id);
    await disable(id);
    expect((await statusOf(id)).KeyRotationEnabled).toBe(false);
  });

  it('leave a disabled key its status', async () => {
    const id = await createKey(client);
    await enable(id, 90);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    expect(await statusOf(id)).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
  });
});

describe('automatic rotation', () => {
  it('makes one new version; what is older opens', () => automaticRotation(cluster));

  it('of a disabled key waits until it is enabled', async () => {
    const id = await createKey(client);
    await enable(id);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    await cluster.time.rotationDue(id);
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: id }));
    await rotationsOnDemand(cluster, 1);
    await client.send(new EnableKeyCommand({ KeyId: id }));
    const rotated = (line: { message: string; keyId?: unknown }) =>
      line.message === 'key rotated' && line.keyId === id;
    await cluster.servers[0]?.logged(rotated);
    const [rotation] = await rotationsOf(client, id);
    expect(rotation?.KeyMaterialId).not.toBe(KeyMetadata?.CurrentKeyMaterialId);
  });

  it('that fails is tried again, and leaves nothing behind', async () => {
    const id = await createKey(client);
    const before = tokenObjects(site).length;
    await enable(id);
    // The second object of the version is never made.
    site.shim.set(`C_GenerateKey skip=1 fail=${CKR_FUNCTION_NOT_SUPPORTED} times=1`);
    await cluster.time.rotationDue(id);
    const rotations = async () => ((await rotationsOf(client, id)).length > 0 ? true : undefined);
    await eventually(rotations, 15_000, () => 'it is not tried again');
    expect(await rotationsOf(client, id)).toHaveLength(1);
    expect(tokenObjects(site)).toHaveLength(before + 2);
    expect(linesOf(cluster, 'key rotated', id)).toHaveLength(1);
  });
});

describe('RotateKeyOnDemand', () => {
  it('makes a new version, which everything uses from then on', async () => {
    const id = await createKey(client);
    const blobs: Buffer[] = [];
    for (let number = 1; number <= 3; number++) {
      blobs.push(await encrypt(client, id));
      expect(await rotate(`${PREFIX}:key/${id}`)).toMatchObject({ KeyId: id });
    }
    expect(blobs.map(versionOf)).toEqual([1, 2, 3]);
    for (const blob of blobs) expect(await decrypt(client, blob)).toBe('data');
  });

  it('asked for many times at once makes a version each time', () => rotationsOnDemand(cluster));

  it('leaves data key pairs that were made before as they are', async () => {
    const id = await createKey(client);
    const EncryptionContext = { purpose: 'rotation' };
    for (let round = 0; round < 3; round++) {
      const command = new GenerateDataKeyPairCommand({
        KeyId: id,
        KeyPairSpec: 'ECC_NIST_P256',
        EncryptionContext,
      });
      const { PublicKey, PrivateKeyCiphertextBlob } = await client.send(command);
      expect(versionOf(Buffer.from(PrivateKeyCiphertextBlob ?? []))).toBe(round + 1);
      await rotate(id);
      const opening = new DecryptCommand({ CiphertextBlob: PrivateKeyCiphertextBlob, EncryptionContext });
      const { Plaintext } = await client.send(opening);
      const key = Buffer.from(Plaintext ?? []);
      const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
      expect(publicKey.export({ format: 'der', type: 'spki' })).toEqual(Buffer.from(PublicKey ?? []));
    }
  });

  it('is there 25 times in the life of a key', async () => {
    const id = await createKey(client);
    for (let count = 0; count < 25; count++) await rotate(id);
    expect(await refusalOf(rotate(id))).toMatchObject({ name: 'LimitExceededException', status: 400 });
    expect(await rotationsOf(client, id)).toHaveLength(25);
    expect(versionOf(await encrypt(client, id))).toBe(26);
  });
});

describe('ListKeyRotations', () => {
  let id: string;
  let materials: string[];

  const currentMaterial = async () => {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: id }));
    return String(KeyMetadata?.CurrentKeyMaterialId);
  };

  beforeAll(async () => {
    id = await createKey(client);
    materials = [await currentMaterial()];
    for (let count = 0; count < 4; count++) {
      await rotate(id);
      materials.push(await currentMaterial());
    }
  });

  it('tells of each rotation, oldest first', async () => {
    const before = Date.now() - 60_000;
    const { Rotations = [], Truncated, NextMarker } = await list(`${PREFIX}:key/${id}`);
    expect({ Truncated, NextMarker }).toEqual({ Truncated: false, NextMarker: undefined });
    expect(Rotations).toEqual(
      materials.slice(1).map((KeyMaterialId, index) => ({
        KeyId: id,
        KeyMaterialId,
        KeyMaterialState: index === 3 ? 'CURRENT' : 'NON_CURRENT',
        RotationDate: expect.any(Date),
        RotationType: 'ON_DEMAND',
      })),
    );
    const dates = Rotations.map(({ RotationDate }) => RotationDate?.getTime() ?? 0);
    expect(dates).toEqual([...dates].sort());
    expect(dates[0]).toBeGreaterThan(before);
  });

  it('lists all material where that is asked for', async () => {
    const all = await client.send(
      new ListKeyRotationsCommand({ KeyId: id, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }),
    );
    expect(all.Rotations?.map(({ KeyMaterialId }) => KeyMaterialId)).toEqual(materials);
    expect(all.Rotations?.[0]).toEqual({
      KeyId: id,
      KeyMaterialId: materials[0],
      KeyMaterialState: 'NON_CURRENT',
    });
  });

  it.each([1, 2, 3, 4, 1000])('comes in pages of %i', async (pageSize) => {
    const found: unknown[] = [];
    let pages = 0;
    for await (const page of paginateListKeyRotations({ client, pageSize }, { KeyId: id })) {
      pages++;
      found.push(...(page.Rotations ?? []).map(({ KeyMaterialId }) => KeyMaterialId));
      expect(page.Truncated).toBe(page.NextMarker !== undefined);
    }
    expect(found).toEqual(materials.slice(1));
    expect(pages).toBe(Math.ceil(4 / pageSize));
  });
});

describe('refusals', () => {
  const disabled = async () => {
    const id = await createKey(client);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    return id;
  };
  const pending = async () => {
    const id = await createKey(client);
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }));
    return id;
  };
  const soon = async (minutes: number) => {
    const id = await createKey(client);
    await enable(id);
    const at = Date.now() + minutes * 60_000;
    inStore(site, (database) => database.exec(`UPDATE keys SET next_rotation_at = ${at} WHERE id = '${id}'`));
    // The service remembers a key for a second.
    await client.send(new EnableKeyCommand({ KeyId: id }));
    return id;
  };

  it.each<[string, string, () => Promise<unknown>]>([
    ['EnableKeyRotation', 'NotFoundException', () => enable(NO_KEY)],
    ['EnableKeyRotation', 'InvalidArnException', () => enable('alias/rotating')],
    ['EnableKeyRotation', 'InvalidArnException', () => enable(`${PREFIX}:alias/rotating`)],
    ['EnableKeyRotation', 'DisabledException', async () => enable(await disabled())],
    ['EnableKeyRotation', 'KMSInvalidStateException', async () => enable(await pending())],
    ['EnableKeyRotation', 'ValidationException', async () => enable(await createKey(client), 89)],
    ['EnableKeyRotation', 'ValidationException', async () => enable(await createKey(client), 2561)],
    ['DisableKeyRotation', 'NotFoundException', () => disable(NO_KEY)],
    ['DisableKeyRotation', 'InvalidArnException', () => disable('alias/rotating')],
    ['DisableKeyRotation', 'DisabledException', async () => disable(await disabled())],
    ['DisableKeyRotation', 'KMSInvalidStateException', async () => disable(await pending())],
    ['GetKeyRotationStatus', 'NotFoundException', () => statusOf(NO_KEY)],
    ['GetKeyRotationStatus', 'InvalidArnException', () => statusOf('alias/rotating')],
    ['RotateKeyOnDemand', 'NotFoundException', () => rotate(NO_KEY)],
    ['RotateKeyOnDemand', 'InvalidArnException', () => rotate('alias/rotating')],
    ['RotateKeyOnDemand', 'DisabledException', async () => rotate(await disabled())],
    ['RotateKeyOnDemand', 'KMSInvalidStateException', async () => rotate(await pending())],
    ['RotateKeyOnDemand', 'ConflictException', async () => rotate(await soon(19))],
    ['ListKeyRotations', 'NotFoundException', () => list(NO_KEY)],
    ['ListKeyRotations', 'InvalidArnException', () => list('alias/rotating')],
    ['ListKeyRotations', 'InvalidMarkerException', async () => list(await createKey(client), 'nonsense')],
    [
      'ListKeyRotations',
      'ValidationException',
      async () => client.send(new ListKeyRotationsCommand({ KeyId: await createKey(client), Limit: 1001 })),
    ],
  ])('%s: %s (%#)', async (_operation, name, attempt) => {
    expect(await refusalOf(attempt())).toMatchObject({ name, status: 400 });
  });

  it('RotateKeyOnDemand more than 20 minutes before an automatic rotation: none', async () => {
    expect((await rotate(await soon(21))).$metadata.httpStatusCode).toBe(200);
  });

  it.each([
    ['KMSInternalException', `C_GenerateKey fail=${CKR_FUNCTION_NOT_SUPPORTED} times=1`],
    ['DependencyTimeoutException', 'C_GenerateKey hang times=1'],
  ])('RotateKeyOnDemand: %s where the token does that; the key stays as it was', async (name, rule) => {
    const id = await createKey(client);
    site.shim.set(rule);
    expect(await refusalOf(rotate(id))).toMatchObject({ name, status: 500 });
    site.shim.clear();
    expect(await rotationsOf(client, id)).toEqual([]);
    expect(versionOf(await encrypt(client, id))).toBe(1);
    await workersReady({ url: String(cluster.servers[0]?.url) });
    await rotate(id);
    expect(await rotationsOf(client, id)).toHaveLength(1);
  });
});
