import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
  KMSServiceException,
  ListKeysCommand,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { auditLines, auditRecords, verifyAudit } from '../support/audit-log';
import { createKey } from '../support/keys';
import { kmsClient, send } from '../support/kms-client';
import { metric } from '../support/metrics';
import { createUser } from '../support/principals';
import { eventually, startServer } from '../support/server';
import { createShimSite, createSite, type Site } from '../support/site';

const ROOT = 'arn:aws:iam::111122223333:root';
const KEY_ARN = /^arn:aws:kms:us-east-1:111122223333:key\//;

/** The ids of the requests that were answered, whatever the answer. */
type Answered = Map<string, string>;

/** One of several requests, some of which are refused; notes the id and outcome that its answer had. */
async function request(client: KMSClient, keyId: string, turn: number, answered: Answered): Promise<void> {
  const commands = [
    () => client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('data') })),
    () => client.send(new DescribeKeyCommand({ KeyId: keyId })),
    () =>
      client.send(
        new GenerateDataKeyPairWithoutPlaintextCommand({ KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' }),
      ),
    () => client.send(new DecryptCommand({ CiphertextBlob: Buffer.from('no ciphertext') })),
    () => client.send(new ListKeysCommand({})),
  ];
  const run = commands[turn % commands.length] ?? commands[0];
  try {
    const { $metadata } = (await run?.()) ?? {};
    answered.set(String($metadata?.requestId), 'ok');
  } catch (error) {
    if (!(error instanceof KMSServiceException)) throw error;
    answered.set(String(error.$metadata.requestId), error.name);
  }
}

/** Sends requests over so many connections until there were `count` of them. */
async function load(connections: number, count: number, one: (turn: number) => Promise<void>): Promise<void> {
  let turn = 0;
  const connection = async () => {
    while (turn < count) await one(turn++);
  };
  await Promise.all(Array.from({ length: connections }, connection));
}

function expectRecordOfEach(site: Site, answered: Answered): void {
  const records = auditRecords(site);
  const ids = records.map(({ requestId }) => requestId);
  expect(new Set(ids).size).toBe(ids.length);
  const outcomes = new Map(records.map(({ requestId, outcome, error }) => [requestId, error ?? outcome]));
  for (const [id, outcome] of answered) expect([id, outcomes.get(id)]).toEqual([id, outcome]);
}

describe('the audit record', () => {
  it('has each of 1,000 requests over 32 connections once, in a chain that is whole', async () => {
    const site = createSite();
    const server = await startServer(site, { P11KMS_AUDIT_CHECKPOINT_LINES: '100' });
    const client = kmsClient(server);
    const keyId = await createKey(client);
    const answered: Answered = new Map();
    await load(32, 1_000, (turn) => request(client, keyId, turn, answered));
    expect(answered.size).toBe(1_000);
    expect((await verifyAudit(site)).code).toBe(0);
    await server.terminate();
    expectRecordOfEach(site, answered);
    const { code, stdout } = await verifyAudit(site);
    expect([code, stdout]).toEqual([0, expect.any(String)]);
  });

  it('has every request that was answered before a SIGKILL', async () => {
    const site = createSite();
    const server = await startServer(site);
    const client = kmsClient(server);
    const keyId = await createKey(client);
    const answered: Answered = new Map();
    const dying = load(16, 100_000, (turn) => request(client, keyId, turn, answered)).catch(() => undefined);
    await eventually(
      () => answered.size >= 300 || undefined,
      30_000,
      () => `only ${answered.size} requests were answered`,
    );
    await server.kill();
    await dying;
    expect((await verifyAudit(site)).code).toBe(0);
    const next = await startServer(site);
    expectRecordOfEach(site, answered);
    await next.terminate();
    expect((await verifyAudit(site)).code).toBe(0);
  });

  it('has whatever was begun when the service was told to end, and ends after it', async () => {
    const site = await createShimSite();
    const server = await startServer(site);
    const client = kmsClient(server);
    const keyId = await createKey(client);
    const before = auditRecords(site).length;
    // So many that they take longer than the service may go on.
    site.shim.set('C_GenerateKeyPair delay=1000');
    const pair = { KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const pairs = Array.from({ length: 24 }, () =>
      client.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair)),
    );
    let made = 0;
    for (const one of pairs) one.then(() => made++).catch(() => undefined);
    // All have been let in: two are being made, and the others wait.
    const waiting = async () => (await metric(server, 'p11kms_token_lane_depth', { lane: 'key-pairs' })) ?? 0;
    await eventually(
      async () => (await waiting()) + made === 22 || undefined,
      10_000,
      () => 'the pairs do not wait for workers',
    );
    const keys = Array.from({ length: 4 }, () => client.send(new CreateKeyCommand({})));
    const sent = Promise.allSettled([...pairs, ...keys]);
    const ended = server.terminate();
    const answers = await sent;
    expect(await ended).toEqual({ code: 0, signal: null });

    const records = auditRecords(site).slice(before);
    const of = (name: string) => records.filter(({ operation }) => operation === name);
    expect(of('GenerateDataKeyPairWithoutPlaintext')).toHaveLength(24);
    const failed = of('GenerateDataKeyPairWithoutPlaintext').filter(({ outcome }) => outcome === 'failed');
    expect(failed.length).toBeGreaterThan(0);
    expect(of('EndService')).toEqual([]);
    const ids = new Set(records.map(({ requestId }) => requestId));
    for (const answer of answers)
      if (answer.status === 'fulfilled') expect(ids).toContain(answer.value.$metadata.requestId);
    expect(auditLines(site).at(-1)).toMatchObject({ type: 'end', signature: expect.any(String) });
    const { code, stdout } = await verifyAudit(site);
    expect([code, stdout]).toEqual([0, expect.any(String)]);

    site.shim.clear();
    const next = await startServer(site);
    const { Keys = [] } = await kmsClient(next).send(new ListKeysCommand({}));
    await next.terminate();
    const recorded = auditRecords(site).filter(
      ({ operation, outcome }) => operation === 'CreateKey' && outcome === 'ok',
    );
    expect(Keys.map(({ KeyArn }) => KeyArn).toSorted()).toEqual(recorded.map(({ key }) => key).toSorted());
  });

  it('has who did what with which key, from where, and how it ended', async () => {
    const site = createSite();
    const server = await startServer(site);
    const client = kmsClient(server);
    const keyId = await createKey(client);
    const bob = kmsClient({ url: server.url, credentials: await createUser(site, 'bob') });
    const EncryptionContext = { Purpose: 'Test', __proto__: 'kept' };
    await client.send(
      new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('data'), EncryptionContext }),
    );
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('data'), EncryptionContext: { From: 'a' } }),
    );
    const otherKey = await createKey(client);
    await client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: { From: 'a' },
        DestinationKeyId: otherKey,
        DestinationEncryptionContext: { To: 'b' },
      }),
    );
    await client.send(new CreateAliasCommand({ AliasName: 'alias/a', TargetKeyId: keyId }));
    await bob.send(new DescribeKeyCommand({ KeyId: 'alias/a' })).catch(() => undefined);
    await send(server, { 'x-amz-target': 'TrentService.ListKeys' }, '{}');
    await send(server, {}, 'x'.repeat(300_000));
    await server.terminate();

    const records = auditRecords(site);
    const of = (operation: string) => records.filter((record) => record.operation === operation);
    const key = expect.stringMatching(KEY_ARN);
    expect(of('Encrypt')[0]).toEqual({
      seq: expect.any(Number),
      prev: expect.stringMatching(/^[0-9a-f]{64}$/),
      type: 'record',
      time: expect.stringMatching(/Z$/),
      requestId: expect.any(String),
      protocol: 'trent',
      principal: ROOT,
      accessKeyId: server.credentials.accessKeyId,
      source: '127.0.0.1',
      operation: 'Encrypt',
      key,
      encryptionContext: { Purpose: 'Test' },
      outcome: 'ok',
      tokenSerial: expect.stringMatching(/^[0-9a-f]+$/),
      details: { keyVersion: 1 },
    });
    const arn = (id: string) => `arn:aws:kms:us-east-1:111122223333:key/${id}`;
    expect(of('ReEncrypt')).toMatchObject([
      {
        key: arn(otherKey),
        encryptionContext: { To: 'b' },
        sourceKey: arn(keyId),
        sourceEncryptionContext: { From: 'a' },
        details: { keyVersion: 1, sourceKeyVersion: 1 },
      },
    ]);
    expect(of('CreateAlias')).toMatchObject([{ key: arn(keyId), details: { alias: 'alias/a' } }]);
    expect(of('CreateKey')).toMatchObject([{ principal: ROOT, key, outcome: 'ok' }, {}]);
    expect(of('CreatePrincipal')).toMatchObject([
      { protocol: 'service', outcome: 'ok', details: { name: 'root' } },
      { protocol: 'cli', outcome: 'ok', details: { name: 'bob' } },
    ]);
    expect(of('DescribeKey')).toMatchObject([
      {
        principal: 'arn:aws:iam::111122223333:user/bob',
        key,
        outcome: 'refused',
        error: 'AccessDeniedException',
        denied: 'no-identity-allow',
      },
    ]);
    const [unsigned] = of('ListKeys');
    expect(unsigned).toMatchObject({ outcome: 'refused', error: 'MissingAuthenticationTokenException' });
    expect(unsigned).not.toHaveProperty('principal');
    expect(of('unknown')).toMatchObject([{ error: 'RequestEntityTooLargeException' }]);
    expect((await verifyAudit(site)).code).toBe(0);
  });
});
