import {
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateRandomCommand,
  type KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { workersReady } from '../support/metrics';
import { type Server, startServer } from '../support/server';
import { createShimSite, SERVICE_OBJECTS, tokenObjects } from '../support/site';

/** CKR_FUNCTION_NOT_SUPPORTED: nothing that p11kms foresees. */
const UNFORESEEN = 0x54;
const TIMEOUT_MS = 1000;

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  site = await createShimSite();
  server = await startServer(site, {
    P11KMS_TOKEN_TIMEOUT_MS: String(TIMEOUT_MS),
    P11KMS_TOKEN_QUEUE: '3',
  });
  client = kmsClient(server);
  keyId = String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
});

afterEach(() => site.shim.clear());

const encrypt = () => client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('data') }));
const random = () => client.send(new GenerateRandomCommand({ NumberOfBytes: 16 }));

it('a token that does not answer in time costs its caller one deadline, and nobody else anything', async () => {
  site.shim.set('C_Encrypt hang times=1');
  const begun = performance.now();
  const hung = encrypt().catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let n = 0; n < 10; n++) await encrypt();
  expect(performance.now() - begun).toBeLessThan(TIMEOUT_MS);
  expect(await hung).toMatchObject({
    name: 'DependencyTimeoutException',
    $metadata: { httpStatusCode: 500, requestId: expect.any(String) },
  });
  expect(performance.now() - begun).toBeGreaterThanOrEqual(TIMEOUT_MS);
  await server.logged(({ message, reason }) => message === 'token worker ended' && reason === 'killed');
});

it('a full lane refuses at once what it cannot take', async () => {
  await workersReady(server);
  // Two workers do one each, three wait, the rest is too many.
  site.shim.set('C_GenerateRandom delay=400');
  const calls = Array.from({ length: 9 }, () => random());
  const settled = await Promise.allSettled(calls);
  const refused = await Promise.all(
    calls.filter((_, n) => settled[n]?.status === 'rejected').map((call) => refusalOf(call)),
  );
  expect(refused).toHaveLength(4);
  for (const refusal of refused) {
    expect(refusal).toMatchObject({ name: 'ThrottlingException', status: 400 });
  }
});

it('an error that nobody foresaw is told to the log, not to the caller', async () => {
  site.shim.set(`C_Encrypt fail=${UNFORESEEN} times=1`);
  const refusal = await refusalOf(encrypt());
  expect(refusal).toMatchObject({ name: 'KMSInternalException', status: 500 });
  expect(refusal.message).not.toMatch(/0x54|C_Encrypt|CKR/);
  const line = await server.logged(
    ({ requestId, message }) => message === 'request' && requestId === refusal.requestId,
  );
  expect(line).toMatchObject({
    level: 'error',
    operation: 'Encrypt',
    keyId,
    outcome: 'KMSInternalException',
  });
  expect(JSON.stringify(line.error)).toContain('C_Encrypt answered 0x54');
  expect((await encrypt()).$metadata.httpStatusCode).toBe(200);
});

it('a module that aborts costs the caller nothing', async () => {
  site.shim.set('C_Encrypt abort times=1');
  const { CiphertextBlob } = await encrypt();
  await server.logged(({ message, reason }) => message === 'token worker ended' && reason === 'crashed');
  const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
  expect(Buffer.from(Plaintext ?? []).toString()).toBe('data');
});

describe('a key whose making fails', () => {
  const createKey = () => client.send(new CreateKeyCommand({}));

  /** Two objects for each key, and the service key. */
  async function expectNothingLeft(): Promise<void> {
    const { Keys = [] } = await client.send(new ListKeysCommand({}));
    expect(tokenObjects(site)).toHaveLength(2 * Keys.length + SERVICE_OBJECTS);
  }

  it.each([
    ['the first object', 'C_GenerateKey fail=0x54 times=1'],
    ['the second object', 'C_GenerateKey fail=0x54 skip=1 times=1'],
    ['the answer after the second object', 'C_GenerateKey fail-after=0x54 skip=1 times=1'],
    ['the worker after the first object', 'C_GenerateKey abort skip=1 times=1'],
  ])('at %s never was, and leaves nothing behind', async (_what, rule) => {
    const before = await client.send(new ListKeysCommand({}));
    site.shim.set(rule);
    expect(await exceptionOf(createKey())).toBe('KMSInternalException');
    expect((await client.send(new ListKeysCommand({}))).Keys).toEqual(before.Keys);
    await expectNothingLeft();
  });

  it('and cannot be cleaned up is cleaned up at the next start', async () => {
    site.shim.set('C_GenerateKey fail=0x54 skip=1 times=1', 'C_DestroyObject fail=0x54');
    expect(await exceptionOf(createKey())).toBe('KMSInternalException');
    await expect(expectNothingLeft()).rejects.toThrow();
    await server.terminate();
    site.shim.clear();

    server = await startServer(site);
    client = kmsClient(server);
    await expectNothingLeft();
    expect(server.log()).toContainEqual(
      expect.objectContaining({ message: 'removed a key version whose making was cut short', version: 1 }),
    );
    expect((await encrypt()).$metadata.httpStatusCode).toBe(200);
  });
});
