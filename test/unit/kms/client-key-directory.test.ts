import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArns } from '../../../src/kms/arns';
import { keepClientKey, makeClientKeyId } from '../../../src/kms/client-keys';
import { createPrincipalDirectory, type PrincipalDirectory } from '../../../src/kms/principal-directory';
import { openStore, type Store } from '../../../src/store/store';
import { FakeToken } from './fake-token';
import { PREFIX } from './fixture';

const SERVICE_KEY = '00'.repeat(16);
const ALLOW_ALL = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
});
const HOUR = 3_600_000;
const pair = generateKeyPairSync('rsa', { modulusLength: 2_048 });

let clock = 0;
let wall = 0;
let store: Store;
let token: FakeToken;
let directory: PrincipalDirectory;
let dataDir: string;

beforeEach(async () => {
  clock += 1_000_000;
  wall = Date.parse('2026-11-22T12:00:00Z');
  jest.spyOn(performance, 'now').mockImplementation(() => clock);
  jest.spyOn(Date, 'now').mockImplementation(() => wall);
  dataDir = mkdtempSync(join(tmpdir(), 'p11kms-client-keys-'));
  store = await openStore(dataDir);
  token = new FakeToken();
  token.objects.set(SERVICE_KEY, 'service');
  const { id: storeId } = await store.identity.read();
  const parts = { store, token, arns: createArns(PREFIX), storeId, serviceKey: SERVICE_KEY };
  directory = await createPrincipalDirectory(parts, (secret) => Buffer.from(secret));
  await store.principals.createRoot({ id: 'R1', sealed_secret: 'sealed' });
  await store.principals.create({ name: 'app' });
  await store.principals.attachPolicy('app', 'all', ALLOW_ALL);
  token.jobs.length = 0;
});

afterEach(async () => {
  jest.restoreAllMocks();
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function addKey(principal = 'app', validityMs = HOUR): Promise<string> {
  const id = makeClientKeyId();
  const key = { id, ...pair, createdAt: wall, expiresAt: wall + validityMs };
  await keepClientKey(store.clientKeys, principal, key);
  return id;
}

it('a client key is found with its public key, whose it is, and what they may do', async () => {
  const found = await directory.findClientKey(await addKey());
  expect(found?.publicKey.equals(pair.publicKey)).toBe(true);
  expect(found?.principal).toEqual({
    identity: {
      arn: 'arn:aws:iam::111122223333:user/app',
      account: '111122223333',
      kind: 'user',
      name: 'app',
    },
    policies: [expect.objectContaining({ version: '2012-10-17' })],
  });
  expect(token.jobs).toEqual([]);
});

it('one of the root principal stands for it', async () => {
  const found = await directory.findClientKey(await addKey('root'));
  expect(found?.principal).toEqual(directory.root());
});

it('one that is asked for again within a second is not read again', async () => {
  const id = await addKey();
  const asked = jest.spyOn(store.clientKeys, 'find');
  await Promise.all(Array.from({ length: 20 }, () => directory.findClientKey(id)));
  expect(asked).toHaveBeenCalledTimes(1);
});

it('one ends at its time, also where it is remembered', async () => {
  const id = await addKey();
  wall += HOUR - 1;
  expect(await directory.findClientKey(id)).toBeDefined();
  wall += 1;
  expect(await directory.findClientKey(id)).toBeUndefined();
});

it.each<[string, (id: string) => Promise<unknown>]>([
  ['is deleted', (id) => store.clientKeys.remove(id)],
  ['loses its principal', () => store.principals.remove('app')],
])('one that %s is forgotten within a second', async (_what, change) => {
  const id = await addKey();
  await directory.findClientKey(id);
  await change(id);
  clock += 999;
  expect(await directory.findClientKey(id)).toBeDefined();
  clock += 1;
  expect(await directory.findClientKey(id)).toBeUndefined();
});

it('what has changed is known at once after forget()', async () => {
  const id = await addKey();
  await directory.findClientKey(id);
  await store.clientKeys.remove(id);
  directory.forget();
  expect(await directory.findClientKey(id)).toBeUndefined();
});

it('one that is new works within a second, though it was asked for before', async () => {
  const id = makeClientKeyId();
  expect(await directory.findClientKey(id)).toBeUndefined();
  const key = { id, ...pair, createdAt: wall, expiresAt: wall + HOUR };
  await keepClientKey(store.clientKeys, 'app', key);
  clock += 1_000;
  expect(await directory.findClientKey(id)).toBeDefined();
});

it('what is no id of a client key is looked up once, whatever it is', async () => {
  const id = await addKey();
  const asked = jest.spyOn(store.clientKeys, 'find');
  for (const text of [
    '',
    'KAAP',
    'KAAP.x',
    id.toUpperCase(),
    ` ${id}`,
    `${id}\n`,
    '__proto__',
    'x'.repeat(9),
  ])
    expect(await directory.findClientKey(text)).toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(1);
});

it('a policy that cannot be read is a fault, and does not count for none', async () => {
  const id = await addKey();
  await store.principals.attachPolicy('app', 'all', '{}');
  await expect(directory.findClientKey(id)).rejects.toThrow('a policy of the principal app cannot');
});
