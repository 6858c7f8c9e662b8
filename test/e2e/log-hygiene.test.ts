import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPERATION_NAMES } from '../support/alibaba-messages';
import { insertClientKey } from '../support/client-keys';
import { EveryAlibabaOperation } from '../support/every-alibaba-operation';
import { EveryOperation } from '../support/every-operation';
import { workersReady } from '../support/metrics';
import { type LogLine, type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';
import { traces } from '../support/traces';

const OPERATIONS = [
  'CreateAlias',
  'CreateGrant',
  'CreateKey',
  'Decrypt',
  'DeleteAlias',
  'DescribeKey',
  'DisableKey',
  'EnableKey',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateRandom',
  'GetKeyPolicy',
  'ListAliases',
  'ListGrants',
  'ListKeyPolicies',
  'ListKeys',
  'ListResourceTags',
  'ListRetirableGrants',
  'PutKeyPolicy',
  'RetireGrant',
  'RevokeGrant',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateKeyDescription',
];
let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let driven: EveryOperation;

beforeAll(async () => {
  site = await createShimSite();
  server = await startServer(site, {
    P11KMS_LOG_LEVEL: 'debug',
    P11KMS_PRIVATE_KEY_EXPORT: 'aws',
    P11KMS_TOKEN_TIMEOUT_MS: '500',
  });
  driven = new EveryOperation(server, site.shim);
  driven.secrets.set('PIN', Buffer.from(site.token.pin));
  await driven.run();
});

beforeAll(async () => {
  await workersReady(server);
  const { keyId, secrets } = driven;
  const key = insertClientKey(site, 'root');
  await new EveryAlibabaOperation({ server, shim: site.shim, key, keyId, secrets }).run();
  await server.terminate();
});

const requests = (protocol = 'trent'): LogLine[] =>
  server.log().filter((line) => line.message === 'request' && line.protocol === protocol);

it('the search finds a secret in every form in which one could be printed', () => {
  const secret = driven.secrets.get('plaintext') ?? Buffer.alloc(0);
  const forms = [
    secret.toString('utf8'),
    secret.toString('base64'),
    secret.toString('base64url'),
    secret.toString('hex'),
    secret.toString('hex').toUpperCase(),
    JSON.stringify(secret),
    JSON.stringify([...secret]),
    secret.toString('base64').slice(5),
    secret.toString('hex').slice(0, 80),
  ];
  for (const form of forms) expect(traces(secret).some((trace) => `"${form}"`.includes(trace))).toBe(true);
});

it('no plaintext, private key, ciphertext, context, Aad, grant token, secret access key, signature or PIN is in anything that the server printed', () => {
  const output = server.output();
  expect(driven.secrets.size).toBeGreaterThan(20);
  for (const [what, secret] of driven.secrets) {
    const found = traces(secret).filter((trace) => output.includes(trace));
    expect({ what, found }).toEqual({ what, found: [] });
  }
});

it('the call succeeded and failed in all the ways that the log tells apart', () => {
  const outcomes = new Set(requests().map(({ outcome }) => outcome));
  for (const outcome of [
    'ok',
    'InvalidCiphertextException',
    'ValidationException',
    'SerializationException',
    'NotFoundException',
    'DisabledException',
    'InvalidGrantTokenException',
    'UnknownOperationException',
    'UnrecognizedClientException',
    'IncompleteSignatureException',
    'InvalidSignatureException',
    'KMSInternalException',
    'DependencyTimeoutException',
  ]) {
    expect(outcomes).toContain(outcome);
  }
});

it('so it did through Alibaba’s API', () => {
  const outcomes = new Set(requests('alibaba').map(({ outcome }) => outcome));
  for (const outcome of [
    'ok',
    'InvalidApiName',
    'InvalidApiVersion',
    'InvalidParam',
    'InvalidParameter',
    'RequestTimeTooSkewed',
    'SignatureNotMatch',
    'InvalidAccessKeyId.NotFound',
    'Forbidden.KeyNotFound',
    'Forbidden.AliasNotFound',
    'InvalidContentType',
    'InternalFailure',
    'ServiceUnavailableTemporary',
  ]) {
    expect(outcomes).toContain(outcome);
  }
});

it('every line is one JSON object with a time, a level and a message', () => {
  for (const line of server.log()) {
    expect(line).toMatchObject({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: expect.stringMatching(/^(error|warn|info|debug)$/),
      message: expect.any(String),
    });
  }
});

it.each([...OPERATIONS.map((name) => [name, 'trent']), ...OPERATION_NAMES.map((name) => [name, 'alibaba'])])(
  'the line of %s has what its reader needs (%s)',
  (name = '', protocol = '') => {
    const lines = requests(protocol).filter(({ operation }) => operation === name);
    const ok = lines.find(({ outcome }) => outcome === 'ok');
    expect(ok).toMatchObject({
      level: 'info',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 200,
      durationMs: expect.any(Number),
      tokenMs: expect.any(Number),
    });
    const { durationMs, tokenMs } = ok as unknown as { durationMs: number; tokenMs: number };
    const asksToken = /^(CreateKey$|(Advance)?(Decrypt|Encrypt|Generate))/.test(name);
    expect(tokenMs > 0).toBe(asksToken);
    expect(tokenMs).toBeLessThanOrEqual(durationMs);
    const isAboutKey = !/^(ListAliases|ListKeys|ListRetirableGrants|GenerateRandom)$/.test(name);
    expect(ok?.keyId).toBe(isAboutKey ? driven.keyId : undefined);
  },
);

it('the line of a request that Alibaba’s API refuses says why: its answer says less', () => {
  const reasons = requests('alibaba').map(({ reason }) => reason);
  for (const reason of [
    'the client key is unknown, or has expired',
    'the date is more than 15 minutes off',
    'x-kms-apiname names no operation',
    'Algorithm must be AES_GCM',
  ]) {
    expect(reasons).toContain(reason);
  }
});

it('the line of a failure has the key too, where one was found', () => {
  const failed = requests().filter(({ outcome }) => outcome === 'InvalidCiphertextException');
  expect(failed.some((line) => line.keyId === driven.keyId)).toBe(true);
});

it('the audit record has the context, and nothing else of what is secret', () => {
  const directory = join(site.dataDir, 'audit');
  const record = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'));
  const found = [...driven.secrets]
    .filter(([, secret]) => traces(secret).some((trace) => record.some((text) => text.includes(trace))))
    .map(([what]) => what);
  expect(found).toEqual(['context key', 'context value']);
});

it('the store holds no secret either', () => {
  for (const file of ['p11kms.sqlite', 'p11kms.sqlite-wal']) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(site.dataDir, file));
    } catch {
      // The log of SQLite is gone when the store was closed in good order.
      expect(file).toBe('p11kms.sqlite-wal');
      continue;
    }
    for (const secret of driven.secrets.values()) expect(bytes.includes(secret.subarray(0, 24))).toBe(false);
  }
});
