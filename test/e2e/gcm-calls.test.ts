import {
  DecryptCommand,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  type KMSClient,
  ListKeyRotationsCommand,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import {
  assertWithinBound,
  decrypt,
  encrypt,
  encryptingToTheBound,
  inStore,
  rotationsOf,
  siteTime,
  versionOf,
} from '../support/life-cycle';
import { workersReady } from '../support/metrics';
import { type Server, startServer } from '../support/server';
import { createShimSite, tokenObjects } from '../support/site';

const BOUND = 5;
const CKR_FUNCTION_NOT_SUPPORTED = 0x54;

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: KMSClient;

async function start(bound?: number): Promise<void> {
  await server?.terminate();
  const P11KMS_GCM_CALLS_PER_KEY_VERSION = bound === undefined ? undefined : String(bound);
  server = await startServer(site, { P11KMS_GCM_CALLS_PER_KEY_VERSION, P11KMS_TOKEN_TIMEOUT_MS: '2000' });
  client = kmsClient(server);
}

beforeAll(async () => {
  site = await createShimSite();
  await start(BOUND);
});

afterEach(() => site.shim.clear());

const countsOf = (id: string): unknown[] =>
  inStore(site, (database) =>
    database.prepare('SELECT gcm_calls FROM key_versions WHERE key_id = ? ORDER BY number').pluck().all(id),
  );

describe(`with ${BOUND} calls to a version`, () => {
  it('the next call gets a new version, and everything opens', async () => {
    const id = await createKey(client);
    const blobs: Buffer[] = [];
    for (let count = 0; count < 2 * BOUND + 1; count++) blobs.push(await encrypt(client, id));
    expect(blobs.map(versionOf)).toEqual([...Array(BOUND).fill(1), ...Array(BOUND).fill(2), 3]);
    for (const blob of blobs) expect(await decrypt(client, blob)).toBe('data');
    const rotations = await rotationsOf(client, id);
    // The API has no word for it: it comes by itself, as an automatic one does.
    expect(rotations).toMatchObject([{ RotationType: 'AUTOMATIC' }, { RotationType: 'AUTOMATIC' }]);
  });

  it('whatever encrypts is counted; what does not is not', async () => {
    const [id, other] = [await createKey(client), await createKey(client)];
    const blob = await encrypt(client, other);
    const pair = { KeyId: id, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const key = { KeyId: id, KeySpec: 'AES_256' } as const;
    await encrypt(client, id);
    await client.send(new GenerateDataKeyCommand(key));
    await client.send(new GenerateDataKeyWithoutPlaintextCommand(key));
    const { PrivateKeyCiphertextBlob = Buffer.of() } = await client.send(
      new GenerateDataKeyPairWithoutPlaintextCommand(pair),
    );
    await client.send(new ReEncryptCommand({ CiphertextBlob: blob, DestinationKeyId: id }));
    expect(countsOf(id)).toEqual([BOUND]);
    await client.send(new DecryptCommand({ CiphertextBlob: PrivateKeyCiphertextBlob }));
    await exceptionOf(client.send(new EncryptCommand({ KeyId: id, Plaintext: blob, DryRun: true })));
    expect(countsOf(id)).toEqual([BOUND]);
    const moved = await client.send(
      new ReEncryptCommand({ CiphertextBlob: PrivateKeyCiphertextBlob, DestinationKeyId: id }),
    );
    expect(versionOf(Buffer.from(moved.CiphertextBlob ?? []))).toBe(2);
    expect(countsOf(id)).toEqual([BOUND, 1]);
    expect(countsOf(other)).toEqual([1]);
  });

  it('no version makes more, however many ask at once', () =>
    encryptingToTheBound(
      { servers: [server], clients: [client, client, client], time: siteTime(site) },
      BOUND,
    ));

  it('calls that fail are counted', async () => {
    const id = await createKey(client);
    site.shim.set(`C_Encrypt fail=${CKR_FUNCTION_NOT_SUPPORTED} times=2`);
    for (let count = 0; count < 2; count++) {
      expect(await exceptionOf(encrypt(client, id))).toBe('KMSInternalException');
    }
    const blobs = [];
    for (let count = 0; count < BOUND; count++) blobs.push(await encrypt(client, id));
    expect(blobs.map(versionOf)).toEqual([1, 1, 1, 2, 2]);
  });

  it('a call that was lost with its worker is not made again where no other is reserved', async () => {
    const id = await createKey(client);
    await encrypt(client, id);
    site.shim.set('C_Encrypt abort times=1');
    site.shim.clearLog();
    expect(await refusalOf(encrypt(client, id))).toMatchObject({ name: 'KMSInternalException', status: 500 });
    expect(site.shim.count('C_Encrypt')).toBe(1);
    expect(countsOf(id)).toEqual([2]);
    await workersReady(server);
    const blobs = [];
    for (let count = 0; count < BOUND - 1; count++) blobs.push(await encrypt(client, id));
    expect(blobs.map(versionOf)).toEqual([1, 1, 1, 2]);
  });

  it('what only opens is done again by another worker', async () => {
    const blob = await encrypt(client, await createKey(client));
    site.shim.set('C_Decrypt abort times=1');
    expect(await decrypt(client, blob)).toBe('data');
    await workersReady(server);
  });

  it('a version that cannot be rotated is not used, and the key works again with the token', async () => {
    const id = await createKey(client);
    for (let count = 0; count < BOUND; count++) await encrypt(client, id);
    const before = tokenObjects(site).length;
    site.shim.set(`C_GenerateKey fail=${CKR_FUNCTION_NOT_SUPPORTED}`);
    for (let count = 0; count < 3; count++) {
      expect(await exceptionOf(encrypt(client, id))).toBe('KMSInternalException');
    }
    site.shim.clear();
    expect(tokenObjects(site)).toHaveLength(before);
    expect(versionOf(await encrypt(client, id))).toBeGreaterThan(1);
  });

  it('a disabled key is not rotated for it', async () => {
    const id = await createKey(client);
    for (let count = 0; count < BOUND; count++) await encrypt(client, id);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    expect(await exceptionOf(encrypt(client, id))).toBe('DisabledException');
    expect((await client.send(new ListKeyRotationsCommand({ KeyId: id }))).Rotations).toEqual([]);
  });

  it('counts survive restarts, graceful or not', async () => {
    const id = await createKey(client);
    const blobs: Buffer[] = [];
    for (const end of [() => server.kill(), () => server.terminate()]) {
      for (let count = 0; count < BOUND - 1; count++) blobs.push(await encrypt(client, id));
      await end();
      await start(BOUND);
    }
    blobs.push(await encrypt(client, id));
    assertWithinBound(blobs, BOUND);
    expect(blobs.map(versionOf)).toEqual([...Array(BOUND).fill(1), ...Array(BOUND - 1).fill(2)]);
    for (const blob of blobs) expect(await decrypt(client, blob)).toBe('data');
  });
});

describe('with 2^32 calls to a version', () => {
  beforeAll(() => start());

  it('they are reserved in blocks, of which a crash loses one', async () => {
    const id = await createKey(client);
    for (let count = 0; count < 3; count++) await encrypt(client, id);
    expect(countsOf(id)).toEqual([65_536]);
    await server.kill();
    await start();
    await encrypt(client, id);
    expect(countsOf(id)).toEqual([2 * 65_536]);
  });

  it('a call that was lost with its worker is made again, and counted', async () => {
    const id = await createKey(client);
    await encrypt(client, id);
    site.shim.set('C_Encrypt abort times=1');
    site.shim.clearLog();
    expect(await decrypt(client, await encrypt(client, id))).toBe('data');
    expect(site.shim.count('C_Encrypt')).toBe(2);
    await workersReady(server);
  });

  it('the last of them is the last: the version is rotated', async () => {
    const id = await createKey(client);
    inStore(site, (database) =>
      database.prepare('UPDATE key_versions SET gcm_calls = ? WHERE key_id = ?').run(2 ** 32 - 2, id),
    );
    const blobs = [];
    for (let count = 0; count < 3; count++) blobs.push(await encrypt(client, id));
    expect(blobs.map(versionOf)).toEqual([1, 1, 2]);
    expect(countsOf(id)).toEqual([2 ** 32, 65_536]);
  });
});
