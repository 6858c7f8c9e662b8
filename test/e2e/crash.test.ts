import { createPrivateKey, createPublicKey } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  type KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { kmsClient } from '../support/kms-client';
import { eventually, p11kms, type Server, startServer, workersOf } from '../support/server';
import { createSite, type Site } from '../support/site';

const ROUNDS = 3;
const CALLERS = 6;
const CONTEXT = { purpose: 'crash' };

interface Sealed {
  readonly blob: Uint8Array | undefined;
  /** The plaintext of data, the public key of a private key. */
  readonly data?: Buffer;
  readonly publicKey?: Uint8Array | undefined;
}

/** What clients were told had happened. */
interface Acknowledged {
  readonly keys: string[];
  readonly aliases: [string, string][];
  readonly sealed: Sealed[];
}

let site: Site;
let server: Server;
let firstKey: string;
const told: Acknowledged = { keys: [], aliases: [], sealed: [] };

async function createKey(client: KMSClient): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  const id = String(KeyMetadata?.KeyId);
  told.keys.push(id);
  return id;
}

async function encrypt(client: KMSClient, KeyId: string): Promise<void> {
  const data = Buffer.from(`data under ${KeyId}`);
  const command = new EncryptCommand({ KeyId, Plaintext: data, EncryptionContext: CONTEXT });
  told.sealed.push({ blob: (await client.send(command)).CiphertextBlob, data });
}

async function generatePair(client: KMSClient, KeyId: string): Promise<void> {
  const input = { KeyId, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext: CONTEXT } as const;
  const pair = await client.send(new GenerateDataKeyPairCommand(input));
  told.sealed.push({ blob: pair.PrivateKeyCiphertextBlob, publicKey: pair.PublicKey });
}

async function name(client: KMSClient, key: string): Promise<void> {
  const AliasName = `alias/${key}`;
  await client.send(new CreateAliasCommand({ AliasName, TargetKeyId: key }));
  told.aliases.push([AliasName, key]);
}

/** Calls without a pause until the server is gone. */
async function caller(client: KMSClient): Promise<void> {
  try {
    for (;;) {
      const key = await createKey(client);
      await Promise.all([encrypt(client, key), generatePair(client, key), name(client, key)]);
      await Promise.all([encrypt(client, firstKey), generatePair(client, firstKey)]);
    }
  } catch (error) {
    // Anything but the loss of the connection would be a fault.
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode) throw error;
  }
}

beforeAll(async () => {
  site = createSite();
  server = await startServer(site);
  firstKey = await createKey(kmsClient(server));
});

it(`killed under load, ${ROUNDS} times, it comes back every time`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const before = told.keys.length;
    const callers = Array.from({ length: CALLERS }, () => caller(kmsClient(server)));
    // Not before there is something to lose; then at no moment in particular.
    await eventually(
      () => told.keys.length > before + CALLERS || undefined,
      20_000,
      () => server.output(),
    );
    await sleep(Math.random() * 200);
    await server.kill();
    await Promise.all(callers);
    const { pid } = server;
    await eventually(
      () => workersOf(pid).length === 0 || undefined,
      2000,
      () => 'workers are left',
    );
    server = await startServer(site);
  }
});

it('every key that a client was told of is there and works', async () => {
  const client = kmsClient(server);
  for (const KeyId of told.keys) {
    expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.Enabled).toBe(true);
    await encrypt(client, KeyId);
  }
  for (const [AliasName, key] of told.aliases) {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: AliasName }));
    expect(KeyMetadata?.KeyId).toBe(key);
  }
});

it('every ciphertext that a client was given opens', async () => {
  const client = kmsClient(server);
  expect(told.sealed.length).toBeGreaterThan(ROUNDS * CALLERS * 2);
  for (const { blob, data, publicKey } of told.sealed) {
    const command = new DecryptCommand({ CiphertextBlob: blob, EncryptionContext: CONTEXT });
    const plaintext = Buffer.from((await client.send(command)).Plaintext ?? []);
    if (data) expect(plaintext).toEqual(data);
    else expect(spkiOf(plaintext)).toEqual(Buffer.from(publicKey ?? []));
  }
});

function spkiOf(pkcs8: Buffer): Buffer {
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
}

it('nothing is left that no key accounts for', async () => {
  const client = kmsClient(server);
  const { Keys = [] } = await client.send(new ListKeysCommand({ Limit: 1000 }));
  for (const { KeyId = '' } of Keys) await encrypt(client, KeyId);
  const { code, stdout } = await p11kms(['doctor', '--json'], site);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ canRun: true, unknownObjects: [] });
});
