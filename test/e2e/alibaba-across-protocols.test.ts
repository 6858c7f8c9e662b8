import { sign, verify } from 'node:crypto';
import * as kms from '@aws-sdk/client-kms';
import { type AlibabaClient, alibabaClient, alibabaRefusalOf } from '../support/alibaba-client';
import { TOLD, type Told, toldBy } from '../support/alibaba-refusals';
import { usesOfKey } from '../support/alibaba-uses';
import { auditRecords, verifyAudit } from '../support/audit-log';
import { type ClientKey, insertClientKey } from '../support/client-keys';
import { keyPairOf } from '../support/key-pairs';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient } from '../support/kms-client';
import { attachPolicy, createUserWithoutAccessKey } from '../support/principals';
import { startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const ACCOUNT = 'arn:aws:iam::111122223333';
const KEY_ARN = 'arn:aws:kms:us-east-1:111122223333:key/';
const Plaintext = Buffer.from('what is secret');
const CONTEXT = { Purpose: 'Test' };
const AAD = Buffer.from('what is bound');
const MESSAGE = Buffer.from('what the private key signs');

let site: Site;
let aws: kms.KMSClient;
let client: AlibabaClient;
let clientKey: ClientKey;
/** Of somebody who may encrypt by Encrypt, and nothing else. */
let writer: AlibabaClient;
let keyId: string;

beforeAll(async () => {
  site = createSite();
  const server = await startServer(site);
  aws = kmsClient(server);
  await createUserWithoutAccessKey(site, 'writer');
  clientKey = insertClientKey(site, 'root');
  client = alibabaClient({ url: server.url, ...clientKey });
  writer = alibabaClient({ url: server.url, ...insertClientKey(site, 'writer') });
  await attachPolicy(site, 'writer', { Action: 'kms:Encrypt' });
  keyId = await createKey(aws);
});

/** TrentService's side. */
const trent = {
  async encrypt(KeyId: string, EncryptionContext?: Record<string, string>): Promise<Buffer> {
    const command = new kms.EncryptCommand({
      KeyId,
      Plaintext,
      ...(EncryptionContext && { EncryptionContext }),
    });
    return Buffer.from((await aws.send(command)).CiphertextBlob ?? []);
  },
  async decrypt(CiphertextBlob: Buffer, EncryptionContext?: Record<string, string>): Promise<Buffer> {
    const command = new kms.DecryptCommand({
      CiphertextBlob,
      ...(EncryptionContext && { EncryptionContext }),
    });
    return Buffer.from((await aws.send(command)).Plaintext ?? []);
  },
};

/** A new key, under whose initial version TrentService and Encrypt have encrypted, and which has then rotated. */
async function rotatedKey() {
  const KeyId = await createKey(aws);
  const old = await trent.encrypt(KeyId);
  await aws.send(new kms.RotateKeyOnDemandCommand({ KeyId }));
  return { KeyId, old, current: await trent.encrypt(KeyId) };
}

describe('what TrentService encrypted', () => {
  it('opens by Decrypt and AdvanceDecrypt', async () => {
    const CiphertextBlob = await trent.encrypt(keyId);
    for (const operation of ['Decrypt', 'AdvanceDecrypt'] as const) {
      const open = await client.call(operation, { CiphertextBlob, KeyId: keyId, Algorithm: 'AES_GCM' });
      expect(open).toMatchObject({ KeyId: keyId, Plaintext });
    }
  });

  it('opens, once its key has rotated, by AdvanceDecrypt alone, unless it is older than that', async () => {
    const { KeyId, old, current } = await rotatedKey();
    expect((await client.call('Decrypt', { KeyId, CiphertextBlob: old })).Plaintext).toEqual(Plaintext);
    expect(await toldBy(client.call('Decrypt', { KeyId, CiphertextBlob: current }))).toEqual(
      TOLD.invalidParameter,
    );
    const versions = [];
    for (const CiphertextBlob of [old, current]) {
      const open = await client.call('AdvanceDecrypt', { CiphertextBlob });
      expect(open).toMatchObject({ KeyId, Plaintext });
      versions.push(open.KeyVersionId);
    }
    expect(new Set(versions).size).toBe(2);
  });

  it('with a context does not open, whatever the Aad', async () => {
    const CiphertextBlob = await trent.encrypt(keyId, CONTEXT);
    for (const Aad of [undefined, AAD, Buffer.from(JSON.stringify(CONTEXT))]) {
      for (const operation of ['Decrypt', 'AdvanceDecrypt'] as const) {
        const call = client.call(operation, { CiphertextBlob, KeyId: keyId, Aad });
        expect(await toldBy(call)).toEqual(TOLD.invalidParameter);
      }
    }
    expect(await trent.decrypt(CiphertextBlob, CONTEXT)).toEqual(Plaintext);
  });
});

describe.each(['Encrypt', 'AdvanceEncrypt'] as const)('what %s encrypted', (operation) => {
  it('opens by TrentService, also once its key has rotated', async () => {
    const { KeyId } = await rotatedKey();
    for (const id of [keyId, KeyId]) {
      const { CiphertextBlob } = await client.call(operation, { KeyId: id, Plaintext });
      expect(await trent.decrypt(CiphertextBlob)).toEqual(Plaintext);
    }
  });

  it('with an Aad does not open there, whatever the context', async () => {
    const { CiphertextBlob } = await client.call(operation, { KeyId: keyId, Plaintext, Aad: AAD });
    for (const context of [undefined, CONTEXT, { Aad: AAD.toString() }]) {
      expect(await exceptionOf(trent.decrypt(CiphertextBlob, context))).toBe('InvalidCiphertextException');
    }
    const { Plaintext: open } = await client.call('AdvanceDecrypt', { CiphertextBlob, Aad: AAD });
    expect(open).toEqual(Plaintext);
  });
});

/** Whether they are a pair. */
function belongTogether(format: 'PEM' | 'DER', pkcs8: Buffer, spki: Buffer): boolean {
  const [privateKey, publicKey] = keyPairOf(format, pkcs8, spki);
  return verify('sha256', MESSAGE, publicKey, sign('sha256', MESSAGE, privateKey));
}

describe('a private key', () => {
  it('that TrentService wrapped opens by Decrypt and AdvanceDecrypt, in DER', async () => {
    const pair = await aws.send(
      new kms.GenerateDataKeyPairWithoutPlaintextCommand({ KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' }),
    );
    const CiphertextBlob = Buffer.from(pair.PrivateKeyCiphertextBlob ?? []);
    for (const operation of ['Decrypt', 'AdvanceDecrypt'] as const) {
      const open = await client.call(operation, { KeyId: keyId, CiphertextBlob });
      expect(belongTogether('DER', open.Plaintext, Buffer.from(pair.PublicKey ?? []))).toBe(true);
    }
  });

  it.each([
    ['GenerateDataKeyPair', 'DER', 'EC_P256'],
    ['GenerateDataKeyPair', 'PEM', 'RSA_2048'],
    ['AdvanceGenerateDataKeyPair', 'DER', 'EC_P256K'],
    ['AdvanceGenerateDataKeyPair', 'PEM', 'EC_P256'],
  ] as const)(
    'that %s wrapped in %s opens by TrentService, also once it is under another key: %s',
    async (...how) => {
      const [operation, KeyFormat, KeyPairSpec] = how;
      const pair = await client.call(operation, { KeyId: keyId, KeyFormat, KeyPairSpec });
      const { PrivateKeyPlaintext: privateKey, PrivateKeyCiphertextBlob, PublicKey } = pair;
      expect(belongTogether(KeyFormat, privateKey, PublicKey)).toBe(true);
      expect(await trent.decrypt(PrivateKeyCiphertextBlob)).toEqual(privateKey);

      const DestinationKeyId = await createKey(aws);
      const moved = await aws.send(
        new kms.ReEncryptCommand({ CiphertextBlob: PrivateKeyCiphertextBlob, DestinationKeyId }),
      );
      const CiphertextBlob = Buffer.from(moved.CiphertextBlob ?? []);
      expect(await trent.decrypt(CiphertextBlob)).toEqual(privateKey);
      const open = await client.call('AdvanceDecrypt', { CiphertextBlob });
      expect(open).toMatchObject({ KeyId: DestinationKeyId, Plaintext: privateKey });
    },
  );
});

it.each<[string, (KeyId: string) => Promise<unknown>, Told]>([
  ['disabled', (KeyId) => aws.send(new kms.DisableKeyCommand({ KeyId })), TOLD.disabled],
  [
    'to be deleted',
    (KeyId) => aws.send(new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 })),
    TOLD.pendingDeletion,
  ],
])('a key that is %s through TrentService does nothing', async (_state, change, told) => {
  const id = await createKey(aws);
  const CiphertextBlob = await trent.encrypt(id);
  await change(id);
  for (const [name, fields] of usesOfKey(id, CiphertextBlob)) {
    expect([name, ...(await toldBy(client.call(name, fields)))]).toEqual([name, ...told]);
  }
  expect(await toldBy(client.call('AdvanceDecrypt', { CiphertextBlob }))).toEqual(told);
});

it('a policy that allows kms:Encrypt allows Encrypt, and no other operation', async () => {
  const { CiphertextBlob, KeyId } = await writer.call('Encrypt', { KeyId: keyId, Plaintext });
  expect(KeyId).toBe(keyId);
  const others = [
    writer.call('AdvanceEncrypt', { KeyId, Plaintext }),
    writer.call('Decrypt', { KeyId, CiphertextBlob }),
    writer.call('AdvanceDecrypt', { CiphertextBlob }),
    writer.call('GenerateDataKey', { KeyId, NumberOfBytes: 32 }),
    writer.call('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'EC_P256', KeyFormat: 'DER' }),
    writer.call('GenerateRandom', { Length: 1 }),
  ];
  for (const call of others) expect(await toldBy(call)).toEqual(TOLD.noPermission);
});

describe('the audit record', () => {
  const recordOf = (id: string) => auditRecords(site).find(({ requestId }) => requestId === id);

  it('says who did what with which key, and by which client key', async () => {
    const { RequestId, CiphertextBlob } = await client.call('AdvanceEncrypt', { KeyId: keyId, Plaintext });
    expect(recordOf(RequestId)).toMatchObject({
      protocol: 'alibaba',
      principal: `${ACCOUNT}:root`,
      accessKeyId: clientKey.keyId,
      operation: 'AdvanceEncrypt',
      key: `${KEY_ARN}${keyId}`,
      outcome: 'ok',
    });
    // By the ciphertext alone.
    const opened = await client.call('AdvanceDecrypt', { CiphertextBlob });
    expect(recordOf(opened.RequestId)).toMatchObject({
      operation: 'AdvanceDecrypt',
      key: `${KEY_ARN}${keyId}`,
    });
  });

  it('says under which version a private key was wrapped, and when it was handed out', async () => {
    const request = { KeyId: keyId, KeyPairSpec: 'EC_P256K', KeyFormat: 'PEM' };
    const pair = await client.call('AdvanceGenerateDataKeyPairWithoutPlaintext', request);
    const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
    const opened = await client.call('AdvanceDecrypt', { CiphertextBlob });
    const open = await client.call('AdvanceGenerateDataKeyPair', request);
    const [kept, handedOut, made] = [pair, opened, open].map(({ RequestId }) => recordOf(RequestId)?.details);
    expect(kept).toEqual({ keyVersion: expect.any(Number), keyPairSpec: 'ECC_SECG_P256K1' });
    for (const details of [handedOut, made])
      expect(details).toEqual({ ...Object(kept), privateKey: 'returned' });
  });

  it('says what was refused, and why', async () => {
    const { RequestId } = await alibabaRefusalOf(writer.call('AdvanceEncrypt', { KeyId: keyId, Plaintext }));
    expect(recordOf(RequestId)).toMatchObject({
      protocol: 'alibaba',
      principal: `${ACCOUNT}:user/writer`,
      operation: 'AdvanceEncrypt',
      key: `${KEY_ARN}${keyId}`,
      outcome: 'refused',
      error: 'Forbidden.NoPermission',
    });
  });

  it('has both protocols in one chain, which is whole', async () => {
    const protocols = new Set(auditRecords(site).map(({ protocol }) => protocol));
    for (const protocol of ['trent', 'alibaba']) expect(protocols).toContain(protocol);
    expect((await verifyAudit(site)).code).toBe(0);
  });
});
