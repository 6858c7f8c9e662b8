import { createCipheriv, randomBytes } from 'node:crypto';
import { CreateAliasCommand, type KMSClient, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms';
import { type AlibabaClient, alibabaClient } from '../support/alibaba-client';
import type { Fields } from '../support/alibaba-messages';
import { TOLD, toldBy } from '../support/alibaba-refusals';
import { insertClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { attachPolicy, createUserWithoutAccessKey } from '../support/principals';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const ALIAS = 'alias/data';
const AAD = Buffer.from([0, 0xff, ...Buffer.from('контекст')]);
const Plaintext = Buffer.from('what is secret');

let aws: KMSClient;
let client: AlibabaClient;
/** Of somebody who may encrypt, and nothing else. */
let writer: AlibabaClient;
let keyId: string;
let otherKeyId: string;

beforeAll(async () => {
  const site = createSite();
  const server = await startServer(site);
  aws = kmsClient(server);
  const clientOf = (principal: string) =>
    alibabaClient({ url: server.url, ...insertClientKey(site, principal) });
  await createUserWithoutAccessKey(site, 'writer');
  [client, writer] = [clientOf('root'), clientOf('writer')];
  await attachPolicy(site, 'writer', { Action: ['kms:Encrypt', 'kms:AdvanceEncrypt'] });
  keyId = await createKey(aws);
  otherKeyId = await createKey(aws);
  await aws.send(new CreateAliasCommand({ AliasName: ALIAS, TargetKeyId: keyId }));
});

const ENCRYPT = ['Encrypt', 'AdvanceEncrypt'] as const;
const DECRYPT = ['Decrypt', 'AdvanceDecrypt'] as const;
const DATA_KEY = ['GenerateDataKey', 'AdvanceGenerateDataKey'] as const;

const GCM = { Algorithm: 'AES_GCM', PaddingMode: '' };
/** Where a ciphertext names its key. */
const KEY_ID_AT = 4;

/** A ciphertext of the initial version with all that a client keeps of it, as the members of a request to decrypt. */
async function encrypted(fields: Fields = {}) {
  const { CiphertextBlob, Iv, Algorithm } = await client.call('Encrypt', {
    KeyId: keyId,
    Plaintext,
    ...fields,
  });
  return { KeyId: keyId, CiphertextBlob, Iv, Algorithm };
}

/** What both ways to decrypt open. */
async function opened(fields: Fields): Promise<Buffer> {
  const [plain, advanced] = await Promise.all(DECRYPT.map((operation) => client.call(operation, fields)));
  if (!plain || !advanced?.Plaintext.equals(plain.Plaintext))
    throw new Error('they open different plaintexts');
  return plain.Plaintext;
}

describe.each(ENCRYPT)('%s', (operation) => {
  it.each([
    ['id', () => keyId],
    ['alias', () => ALIAS],
  ])("by the key's %s: the answer has the id, and opens under either", async (_what, keyOf) => {
    const answer = await client.call(operation, { KeyId: keyOf(), Plaintext, Algorithm: 'AES_GCM' });
    const { CiphertextBlob, Iv } = answer;
    expect(answer).toMatchObject({ KeyId: keyId, ...GCM, RequestId: expect.stringMatching(/./) });
    expect(Iv).toHaveLength(12);
    expect(CiphertextBlob.includes(Iv)).toBe(true);
    for (const KeyId of [keyId, ALIAS]) {
      for (const opening of DECRYPT) {
        const open = await client.call(opening, { CiphertextBlob, KeyId, Iv, Algorithm: 'AES_GCM' });
        expect(open).toMatchObject({
          KeyId: keyId,
          Plaintext,
          ...GCM,
          RequestId: expect.stringMatching(/./),
        });
      }
    }
  });

  it.each([1, 6 * 1024, 2_900_000])('encrypts %d bytes', async (length) => {
    const long = randomBytes(length);
    const { CiphertextBlob, Iv, Algorithm } = await client.call(operation, {
      KeyId: keyId,
      Plaintext: long,
      Aad: AAD,
    });
    const plaintext = await opened({ KeyId: keyId, CiphertextBlob, Iv, Algorithm, Aad: AAD });
    expect(plaintext.equals(long)).toBe(true);
  });

  it('takes an Aad of up to 8192 bytes', async () => {
    const Aad = randomBytes(8192);
    const { CiphertextBlob } = await client.call(operation, { KeyId: keyId, Plaintext, Aad });
    expect((await client.call('AdvanceDecrypt', { CiphertextBlob, Aad })).Plaintext).toEqual(Plaintext);
  });
});

describe.each(DECRYPT)('%s', (operation) => {
  it.each<[string, Fields, Fields]>([
    ['another Aad', { Aad: AAD }, { Aad: Buffer.from('other') }],
    ['no Aad', { Aad: AAD }, {}],
    ['an Aad where none was given', {}, { Aad: AAD }],
    ['another Iv', {}, { Iv: Buffer.alloc(12) }],
    ['an Iv that is cut off', {}, { Iv: Buffer.alloc(11) }],
  ])('refuses %s', async (_what, given, wrong) => {
    const stored = await encrypted(given);
    expect(await toldBy(client.call(operation, { ...stored, ...wrong }))).toEqual(TOLD.invalidParameter);
    expect(await opened({ ...stored, ...given })).toEqual(Plaintext);
  });

  it("refuses another key's id and alias", async () => {
    const stored = await encrypted();
    expect(await toldBy(client.call(operation, { ...stored, KeyId: otherKeyId }))).toEqual(
      TOLD.invalidParameter,
    );
    const foreign = await client.call('AdvanceEncrypt', { KeyId: otherKeyId, Plaintext });
    const { CiphertextBlob } = foreign;
    expect(await toldBy(client.call(operation, { CiphertextBlob, KeyId: ALIAS }))).toEqual(
      TOLD.invalidParameter,
    );
  });

  it('refuses a ciphertext with any byte changed', async () => {
    const { CiphertextBlob, ...stored } = await encrypted();
    const answers = await Promise.all(
      Array.from(CiphertextBlob, (byte, at) => {
        const changed = Buffer.from(CiphertextBlob);
        changed.writeUInt8(byte ^ 1, at);
        return toldBy(client.call(operation, { ...stored, CiphertextBlob: changed }));
      }),
    );
    for (const [at, answer] of answers.entries()) expect([at, answer]).toEqual([at, TOLD.invalidParameter]);
  });

  it('refuses a ciphertext of another length', async () => {
    const { CiphertextBlob, ...stored } = await encrypted();
    for (const other of [CiphertextBlob.subarray(0, -1), Buffer.concat([CiphertextBlob, Buffer.of(0)])]) {
      const call = client.call(operation, { ...stored, CiphertextBlob: other });
      expect(await toldBy(call)).toEqual(TOLD.invalidParameter);
    }
  });
});

it('AdvanceDecrypt says the same of a key that there is not as of one that is out of reach', async () => {
  const { CiphertextBlob } = await encrypted();
  expect(await toldBy(writer.call('AdvanceDecrypt', { CiphertextBlob }))).toEqual(TOLD.noPermission);
  CiphertextBlob.writeUInt8(CiphertextBlob.readUInt8(KEY_ID_AT) ^ 1, KEY_ID_AT);
  expect(await toldBy(client.call('AdvanceDecrypt', { CiphertextBlob }))).toEqual(TOLD.noPermission);
});

describe.each(DATA_KEY)('%s', (operation) => {
  it.each([1, 32, 1024])('makes %d bytes, which the ciphertext opens to', async (NumberOfBytes) => {
    const made = await client.call(operation, { KeyId: ALIAS, NumberOfBytes, Aad: AAD });
    expect(made).toMatchObject({ KeyId: keyId, Algorithm: 'AES_GCM', RequestId: expect.stringMatching(/./) });
    expect(made.Plaintext).toHaveLength(NumberOfBytes);
    const { CiphertextBlob, Iv, Algorithm } = made;
    expect(await opened({ KeyId: keyId, CiphertextBlob, Iv, Algorithm, Aad: AAD })).toEqual(made.Plaintext);
    expect(await toldBy(client.call('AdvanceDecrypt', { CiphertextBlob }))).toEqual(TOLD.invalidParameter);
  });
});

describe('GenerateRandom', () => {
  it.each([1, 32, 1024])('makes %d bytes, others every time', async (Length) => {
    const answers = await Promise.all([0, 1, 2].map(() => client.call('GenerateRandom', { Length })));
    for (const { Random, RequestId } of answers) {
      expect(Random).toHaveLength(Length);
      expect(RequestId).not.toBe('');
    }
    if (Length > 1) expect(new Set(answers.map(({ Random }) => Random.toString('hex'))).size).toBe(3);
  });
});

describe('once a key has rotated', () => {
  let KeyId: string;
  /** A ciphertext of before, of both kinds. */
  let before: Buffer[];

  beforeAll(async () => {
    KeyId = await createKey(aws);
    const answers = await Promise.all(
      ENCRYPT.map((operation) => client.call(operation, { KeyId, Plaintext })),
    );
    before = answers.map(({ CiphertextBlob }) => CiphertextBlob);
    await aws.send(new RotateKeyOnDemandCommand({ KeyId }));
  });

  it('Decrypt and AdvanceDecrypt open what was encrypted before', async () => {
    for (const CiphertextBlob of before) expect(await opened({ KeyId, CiphertextBlob })).toEqual(Plaintext);
  });

  it('Encrypt and GenerateDataKey stay with the initial version', async () => {
    const sealed = await client.call('Encrypt', { KeyId, Plaintext });
    const dataKey = await client.call('GenerateDataKey', { KeyId, NumberOfBytes: 16 });
    for (const { CiphertextBlob, Iv, Algorithm } of [sealed, dataKey]) {
      const all = { KeyId, CiphertextBlob, Iv, Algorithm };
      const { Plaintext: open, KeyVersionId } = await client.call('AdvanceDecrypt', all);
      expect((await client.call('Decrypt', all)).Plaintext).toEqual(open);
      expect(KeyVersionId).toBe(await versionOf(before[0]));
    }
  });

  it('the Advance operations go on to the newest version, which only AdvanceDecrypt opens', async () => {
    const sealed = await client.call('AdvanceEncrypt', { KeyId, Plaintext });
    const dataKey = await client.call('AdvanceGenerateDataKey', { KeyId, NumberOfBytes: 16 });
    expect(dataKey.KeyVersionId).toBe(sealed.KeyVersionId);
    for (const { CiphertextBlob, Iv, Algorithm, KeyVersionId } of [sealed, dataKey]) {
      expect(KeyVersionId).not.toBe(await versionOf(before[1]));
      expect(await versionOf(CiphertextBlob)).toBe(KeyVersionId);
      const all = { KeyId, CiphertextBlob, Iv, Algorithm };
      expect(await toldBy(client.call('Decrypt', all))).toEqual(TOLD.invalidParameter);
    }
  });

  const versionOf = async (CiphertextBlob?: Buffer): Promise<string> =>
    (await client.call('AdvanceDecrypt', CiphertextBlob ? { CiphertextBlob } : {})).KeyVersionId;
});

describe('whoever may only encrypt', () => {
  const TAG_BYTES = 16;
  const KNOWN = Buffer.alloc(Plaintext.length);

  /** What AES-GCM made of the plaintext: the end of a ciphertext, but for the tag. */
  const body = (blob: Buffer) => blob.subarray(-TAG_BYTES - Plaintext.length, -TAG_BYTES);

  /** Under one key and IV two ciphertexts differ as their plaintexts do. */
  const xor = (...texts: readonly Buffer[]) =>
    Buffer.from(KNOWN.map((_, at) => texts.reduce((sum, text) => sum ^ text.readUInt8(at), 0)));
  const read = (victims: Buffer, own: Buffer) => xor(body(victims), body(own), KNOWN);

  it('explanation, by a model and not by p11kms: whoever chooses the Iv reads what others encrypted', () => {
    const key = randomBytes(32);
    const service = (plaintext: Buffer, iv = randomBytes(12)) => {
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const sealed = [cipher.update(plaintext), cipher.final()];
      return { Iv: iv, CiphertextBlob: Buffer.concat([iv, ...sealed, cipher.getAuthTag()]) };
    };
    const victims = service(Plaintext);
    expect(read(victims.CiphertextBlob, service(KNOWN, victims.Iv).CiphertextBlob)).toEqual(Plaintext);
  });

  it.each(ENCRYPT)('is refused an Iv of their own choice by %s', async (operation) => {
    const victims = await client.call(operation, { KeyId: keyId, Plaintext });
    for (const Iv of [victims.Iv, randomBytes(12), Buffer.alloc(1), Buffer.alloc(16)]) {
      const attack = { KeyId: keyId, Plaintext: KNOWN, Iv };
      expect(await toldBy(writer.call(operation, attack))).toEqual(TOLD.invalidParameter);
    }
  });

  it.each(ENCRYPT)('reads nothing with the Ivs that %s chooses', async (operation) => {
    const victims = await client.call(operation, { KeyId: keyId, Plaintext });
    const attacks = await Promise.all(
      Array.from({ length: 20 }, () => writer.call(operation, { KeyId: keyId, Plaintext: KNOWN })),
    );
    const ivs = [victims, ...attacks].map(({ Iv }) => Iv.toString('hex'));
    expect(new Set(ivs).size).toBe(ivs.length);
    for (const { CiphertextBlob } of attacks) {
      expect(read(victims.CiphertextBlob, CiphertextBlob)).not.toEqual(Plaintext);
    }
    const { CiphertextBlob } = victims;
    expect(await toldBy(writer.call('AdvanceDecrypt', { CiphertextBlob }))).toEqual(TOLD.noPermission);
  });
});
