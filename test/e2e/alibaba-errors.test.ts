import { hash } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { type AlibabaClient, type AlibabaRequest, alibabaClient } from '../support/alibaba-client';
import { encode, type Fields } from '../support/alibaba-messages';
import {
  expectTold,
  invalidApiName,
  invalidApiVersion,
  missing,
  TOLD,
  type Told,
} from '../support/alibaba-refusals';
import { usesOfKey } from '../support/alibaba-uses';
import { createClientKey, insertClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { metric, workersReady } from '../support/metrics';
import { createUserWithoutAccessKey } from '../support/principals';
import { eventually, type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';

const MINUTE_MS = 60_000;
const RANDOM = { name: 'GenerateRandom', body: encode('GenerateRandomRequest', { Length: 16 }) };

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: AlibabaClient;
let keyId: string;

beforeAll(async () => {
  site = await createShimSite();
  server = await startServer(site, {
    P11KMS_LOG_LEVEL: 'debug',
    P11KMS_TOKEN_TIMEOUT_MS: '1000',
  });
  keyId = await createKey(kmsClient(server));
  client = alibabaClient({ url: server.url, ...(await createClientKey(site, 'root')) });
});

const requestOf = (name: string, fields: Fields): AlibabaRequest => ({
  name,
  body: encode(`${name}Request`, fields),
});

const expectRefused = async (request: AlibabaRequest, told: Told, as = client) =>
  expectTold(await as.send(request), told);

describe('what the headers say', () => {
  it.each<[string, Told]>([
    ['date', TOLD.invalidDate],
    ['x-kms-signaturemethod', [400, 'InvalidParam', 'The Param x-kms-signaturemethod is invalid.']],
    ['x-kms-acccesskeyid', missing('x-kms-acccesskeyid')],
    ['content-sha256', missing('content-sha256')],
    ['content-type', TOLD.contentType],
    ['x-kms-apiname', invalidApiName('')],
    ['x-kms-apiversion', invalidApiVersion('')],
  ])('without %s is refused as documented, even if it was signed so', async (name, told) => {
    await expectRefused({ ...RANDOM, headers: { [name]: undefined } }, told);
  });

  it('without authorization is refused as documented', async () => {
    await expectRefused({ ...RANDOM, unsigned: { authorization: undefined } }, missing('authorization'));
  });

  it.each<[string, string, Told]>([
    ['date', 'yesterday', TOLD.invalidDate],
    ['date', '2026-11-22T05:23:50Z', TOLD.invalidDate],
    ['date', 'Sun, 31 Nov 2026 05:23:50 GMT', TOLD.invalidDate],
    [
      'x-kms-signaturemethod',
      'HMAC_SHA_256',
      [400, 'InvalidParam', 'The Param x-kms-signaturemethod is invalid. message:"HMAC_SHA_256".'],
    ],
    ['x-kms-acccesskeyid', 'KAAP.3f2504e0-4f89-41d3-9a0c-0305e82c3301', TOLD.noClientKey],
    ['x-kms-acccesskeyid', 'x'.repeat(100), TOLD.noClientKey],
    ['content-sha256', 'A'.repeat(64), TOLD.noMatch],
    ['x-kms-apiversion', 'dkms-gcs-0.3', invalidApiVersion('dkms-gcs-0.3')],
    ['x-kms-apiversion', '"', invalidApiVersion('"')],
    ['x-kms-apiname', 'CreateKey', invalidApiName('CreateKey')],
    ['x-kms-apiname', 'encrypt', invalidApiName('encrypt')],
    ['x-kms-apiname', '__proto__', invalidApiName('__proto__')],
    ['content-type', 'application/json', TOLD.contentType],
    ['content-type', 'application/x-amz-json-1.1', TOLD.contentType],
    ['content-type', 'application/x-protobuf2', TOLD.contentType],
  ])('%s: %s is refused as documented, even if it was signed so', async (name, value, told) => {
    await expectRefused({ ...RANDOM, headers: { [name]: value } }, told);
  });

  it.each(['Sign', 'Verify', 'GetPublicKey', 'GetSecretValue', 'Hmac', 'Hash', 'KmsEncrypt', 'KmsDecrypt'])(
    '%s is documented, but not here',
    async (name) => {
      await expectRefused({ name, body: Buffer.alloc(0) }, TOLD.unsupported);
    },
  );

  it.each([-16, 16])('a date %i minutes off is refused', async (minutes) => {
    await expectRefused({ ...RANDOM, date: new Date(Date.now() + minutes * MINUTE_MS) }, TOLD.skewed);
  });

  it.each([-14, 14])('a date %i minutes off is taken', async (minutes) => {
    const date = new Date(Date.now() + minutes * MINUTE_MS);
    expect((await client.send({ ...RANDOM, date })).httpStatus).toBe(200);
  });

  it('a charset of the content type is tolerated', async () => {
    const headers = { 'content-type': 'application/x-protobuf; charset=utf-8' };
    expect((await client.send({ ...RANDOM, headers })).httpStatus).toBe(200);
  });
});

describe('a signature', () => {
  it.each<[string, Partial<AlibabaRequest>]>([
    ['of another text', { sign: () => Buffer.alloc(256, 1) }],
    ['of no length', { sign: () => Buffer.alloc(0) }],
    ['of a wrong length', { sign: () => Buffer.alloc(255, 1) }],
    ['in another scheme', { scheme: 'Basic ' }],
    ['without a scheme', { scheme: '' }],
    ['that is no base64', { unsigned: { authorization: 'Bearer !' } }],
    ['of another operation', { unsigned: { 'x-kms-apiname': 'Encrypt' } }],
    ['of another moment', { unsigned: { date: new Date(Date.now() - MINUTE_MS).toUTCString() } }],
    ['of another content type', { unsigned: { 'content-type': 'application/x-protobuf; a=b' } }],
    ['of fewer headers', { unsigned: { 'x-kms-more': 'x' } }],
    ['of another body’s hash', { unsigned: { 'content-sha256': 'A'.repeat(64) } }],
  ])('%s is refused', async (_what, change) => {
    await expectRefused({ ...RANDOM, ...change }, TOLD.noMatch);
  });

  it('of another body is refused', async () => {
    const other = encode('GenerateRandomRequest', { Length: 17 });
    const signed = { headers: { 'content-sha256': hashOf(RANDOM.body) } };
    await expectRefused({ ...RANDOM, ...signed, body: other }, TOLD.noMatch);
    await expectRefused({ ...RANDOM, ...signed, body: Buffer.alloc(0) }, TOLD.noMatch);
  });

  it.each(['Bearer ', 'TOKEN '])('with the scheme "%s" is taken', async (scheme) => {
    expect((await client.send({ ...RANDOM, scheme })).httpStatus).toBe(200);
  });

  it('is of one client key: another’s does not fit, and stands for another principal', async () => {
    await createUserWithoutAccessKey(site, 'nobody');
    const key = insertClientKey(site, 'nobody');
    await expectRefused({ ...RANDOM, headers: { 'x-kms-acccesskeyid': key.keyId } }, TOLD.noMatch);
    const nobody = alibabaClient({ url: server.url, ...key });
    await expectRefused(RANDOM, TOLD.noPermission, nobody);
    const encrypt = { KeyId: keyId, Plaintext: Buffer.of(1) };
    await expectRefused(requestOf('Encrypt', encrypt), TOLD.noPermission, nobody);
  });
});

const hashOf = (body: Buffer): string => hash('sha256', body, 'hex').toUpperCase();

describe('the key', () => {
  it.each<[string, Told]>([
    ['1234abcd-12ab-34cd-56ef-1234567890ab', TOLD.noKey],
    ['key-hzz62f1cb66fa42qo0000', TOLD.noKey],
    ['arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', TOLD.noKey],
    ['alias/nothing', TOLD.noAlias],
    ['arn:aws:kms:us-east-1:111122223333:alias/nothing', TOLD.noAlias],
  ])('"%s" is not found, by any operation that needs it', async (KeyId, told) => {
    const { CiphertextBlob } = await encrypted();
    for (const use of usesOfKey(KeyId, CiphertextBlob)) await expectRefused(requestOf(...use), told);
  });
});

const encrypted = () => client.call('Encrypt', { KeyId: keyId, Plaintext: Buffer.of(1) });

describe('the token', () => {
  it('that fails in a way of its own is an internal failure', async () => {
    site.shim.set('C_Encrypt fail=0x54 times=1');
    await expectRefused(requestOf('Encrypt', { KeyId: keyId, Plaintext: Buffer.of(1) }), TOLD.failure);
    site.shim.clear();
    await workersReady(server);
  });

  it('that does not answer is unavailable for a while', async () => {
    site.shim.set('C_Encrypt hang times=1');
    await expectRefused(requestOf('Encrypt', { KeyId: keyId, Plaintext: Buffer.of(1) }), TOLD.unavailable);
    site.shim.clear();
    await workersReady(server);
  });

  it('that is away is unavailable for a while, to every operation', async () => {
    const { CiphertextBlob } = await encrypted();
    const tokens = join(site.token.directory, 'tokens');
    const elsewhere = join(site.token.directory, 'elsewhere');
    renameSync(tokens, elsewhere);
    for (const use of usesOfKey(keyId, CiphertextBlob))
      await expectRefused(requestOf(...use), TOLD.unavailable);
    renameSync(elsewhere, tokens);
    const decrypted = () => client.send(requestOf('AdvanceDecrypt', { CiphertextBlob }));
    await eventually(
      async () => (await decrypted()).httpStatus === 200 || undefined,
      10_000,
      () => server.output(),
    );
  });
});

it('what a client made up is no label of the metrics', async () => {
  const count = async (operation: string) =>
    (await metric(server, 'p11kms_requests_total', { protocol: 'alibaba', operation })) ?? 0;
  const madeUp = ['CreateKey', 'encrypt', '__proto__', ''];
  const before = [await count('unknown'), await count('GetSecretValue')];
  for (const name of [...madeUp, 'GetSecretValue']) await client.send({ ...RANDOM, name });
  const after = [await count('unknown'), await count('GetSecretValue')];
  expect(after.map((value, at) => value - Number(before[at]))).toEqual([madeUp.length, 1]);
  for (const name of madeUp) expect(await count(name)).toBe(0);
});
