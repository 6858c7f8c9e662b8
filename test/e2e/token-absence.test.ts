import { renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  type KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { get, kmsClient, type Refusal, refusalOf } from '../support/kms-client';
import { workersReady } from '../support/metrics';
import { eventually, p11kms, type Server, startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const PLAINTEXT = Buffer.from('data');

let site: Site;
let server: Server;
let client: KMSClient;
let keyId: string;
let ciphertext: Uint8Array | undefined;
let wrapped: Uint8Array | undefined;

const encrypt = () => client.send(new EncryptCommand({ KeyId: keyId, Plaintext: PLAINTEXT }));
const decrypt = (CiphertextBlob = ciphertext) => client.send(new DecryptCommand({ CiphertextBlob }));
const generatePair = () =>
  client.send(new GenerateDataKeyPairCommand({ KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' }));

beforeAll(async () => {
  site = createSite();
  server = await startServer(site);
  client = kmsClient(server);
  keyId = String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
  ciphertext = (await encrypt()).CiphertextBlob;
  wrapped = (await generatePair()).PrivateKeyCiphertextBlob;
});

/** SoftHSM's tokens are directories: moved away, they are what a token that was pulled out is to an HSM's module. */
const tokens = () => join(site.token.directory, 'tokens');
const elsewhere = () => join(site.token.directory, 'elsewhere');
const takeAway = () => renameSync(tokens(), elsewhere());
const bringBack = () => renameSync(elsewhere(), tokens());

async function timed(call: Promise<unknown>): Promise<{ refusal: Refusal; ms: number }> {
  const begun = performance.now();
  const refusal = await refusalOf(call);
  return { refusal, ms: performance.now() - begun };
}

// One story, told in its order, twice: what a token's return repairs must not wear out.
describe.each(['first', 'second'])('the %s time that the token goes away', () => {
  const uses: Record<string, () => Promise<unknown>> = {
    Encrypt: () => encrypt(),
    Decrypt: () => decrypt(),
    'Decrypt of a private key': () => decrypt(wrapped),
    GenerateDataKeyPair: () => generatePair(),
    CreateKey: () => client.send(new CreateKeyCommand({})),
  };

  it('callers get KeyUnavailableException', async () => {
    takeAway();
    for (const use of Object.values(uses)) {
      expect((await timed(use())).refusal).toMatchObject({ name: 'KeyUnavailableException', status: 500 });
    }
  });

  it('and get it at once when the service knows', async () => {
    await eventually(
      async () => ((await timed(encrypt())).ms < 50 && (await timed(generatePair())).ms < 50) || undefined,
      10_000,
      () => server.output(),
    );
    for (const use of [
      ...Object.values(uses),
      () => client.send(new GenerateRandomCommand({ NumberOfBytes: 1 })),
    ]) {
      const { refusal, ms } = await timed(use());
      expect(refusal).toMatchObject({ name: 'KeyUnavailableException', status: 500 });
      expect(ms).toBeLessThan(500);
    }
  });

  it('what needs no token goes on', async () => {
    expect((await client.send(new DescribeKeyCommand({ KeyId: keyId }))).KeyMetadata?.KeyId).toBe(keyId);
    expect((await client.send(new ListKeysCommand({}))).Keys).toHaveLength(1);
    expect((await get(server, '/healthz')).status).toBe(200);
  });

  it('/readyz says so', async () => {
    const { status, json } = await get(server, '/readyz');
    expect({ status, body: json() }).toEqual({
      status: 503,
      body: { status: 'unavailable', parts: { token: 'unavailable', store: 'ok', audit: 'ok' } },
    });
  });

  it('when it is back, so is the service, by itself', async () => {
    bringBack();
    await eventually(
      async () => (await get(server, '/readyz')).status === 200 || undefined,
      10_000,
      () => server.output(),
    );
    expect(Buffer.from((await decrypt()).Plaintext ?? [])).toEqual(PLAINTEXT);
    await workersReady(server);
    expect((await decrypt(wrapped)).Plaintext?.length).toBeGreaterThan(0);
    const calls = Array.from({ length: 20 }, () => [encrypt(), generatePair()]).flat();
    for (const answer of await Promise.all(calls)) expect(answer.$metadata.httpStatusCode).toBe(200);
  });
});

it('keys whose making was cut short by that leave nothing behind after a restart', async () => {
  await server.terminate();
  server = await startServer(site);
  client = kmsClient(server);
  expect((await client.send(new ListKeysCommand({}))).Keys).toHaveLength(1);
  const { stdout } = await p11kms(['doctor', '--json'], site);
  expect(JSON.parse(stdout)).toMatchObject({ canRun: true, unknownObjects: [] });
  expect(Buffer.from((await decrypt()).Plaintext ?? [])).toEqual(PLAINTEXT);
});
