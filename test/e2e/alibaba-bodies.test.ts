import { randomBytes, randomInt, sign } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { KMSClient } from '@aws-sdk/client-kms';
import {
  type AlibabaAnswer,
  type AlibabaClient,
  type AlibabaRequest,
  alibabaClient,
  signedHeaders,
} from '../support/alibaba-client';
import { decode, encode, type Fields } from '../support/alibaba-messages';
import { expectTold, TOLD } from '../support/alibaba-refusals';
import { type ClientKey, createClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const KIB = 1024;
const MAX_BODY_BYTES = 3 * KIB * KIB;
const MAX_STRANGERS_BODY_BYTES = 256 * KIB;

let server: Server;
let kms: KMSClient;
let key: ClientKey;
let client: AlibabaClient;
let keyId: string;

beforeAll(async () => {
  const site = createSite();
  server = await startServer(site);
  kms = kmsClient(server);
  keyId = await createKey(kms);
  key = await createClientKey(site, 'root');
  client = alibabaClient({ url: server.url, ...key });
});

const hex = (...bytes: string[]) => Buffer.from(bytes.join(''), 'hex');

/** A GenerateRandom request of so many bytes: an unknown field fills it. */
function paddedTo(length: number): Buffer {
  const request = encode('GenerateRandomRequest', { Length: 16 });
  const tag = hex('7a');
  // A varint of four bytes, whatever the number.
  const room = length - request.length - tag.length - 4;
  const size = Buffer.from([0, 7, 14, 21].map((shift, at) => ((room >> shift) & 0x7f) | (at < 3 ? 0x80 : 0)));
  return Buffer.concat([request, tag, size, Buffer.alloc(room)]);
}

const padded = (length: number): AlibabaRequest => ({ name: 'GenerateRandom', body: paddedTo(length) });

/** As a client sends it that does not know the length beforehand. */
async function sendChunked(request: AlibabaRequest): Promise<AlibabaAnswer> {
  const headers = signedHeaders(request, key.keyId, (text) =>
    sign('sha256', Buffer.from(text), key.privateKey),
  );
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest(server.url, { method: 'POST', agent: false, headers });
    outgoing.on('response', resolve).on('error', reject);
    for (let at = 0; at < request.body.length; at += 64 * KIB) {
      outgoing.write(request.body.subarray(at, at + 64 * KIB));
    }
    outgoing.end();
  });
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const error = () => decode('Error', body) as unknown as ReturnType<AlibabaAnswer['error']>;
  return { httpStatus: incoming.statusCode ?? 0, headers: incoming.headers, body, error };
}

/** On a connection of its own: one on which much too much came is cut. */
const sendOnce = (request: AlibabaRequest) => alibabaClient({ url: server.url, ...key }).send(request);

const FORGED = { sign: () => Buffer.alloc(256, 1) };

describe('the length of a body', () => {
  const ways: [string, (request: AlibabaRequest) => Promise<AlibabaAnswer>][] = [
    ['with its length', sendOnce],
    ['in chunks', sendChunked],
  ];

  describe.each(ways)('sent %s', (_how, send) => {
    it.each([0, 1, MAX_STRANGERS_BODY_BYTES, MAX_STRANGERS_BODY_BYTES + 1, MAX_BODY_BYTES])(
      'is not what %i bytes are refused for',
      async (length) => {
        if (length < 100) return expectTold(await send(randomOf(length)), TOLD.invalidParameter);
        const answer = await send(padded(length));
        expect(answer.httpStatus).toBe(200);
        expect(decode('GenerateRandomResponse', answer.body).Random).toHaveLength(16);
      },
    );

    it('of 3 MiB and a byte is too much', async () => {
      expectTold(await send(padded(MAX_BODY_BYTES + 1)), TOLD.tooLong);
    });

    it.each([MAX_STRANGERS_BODY_BYTES, MAX_STRANGERS_BODY_BYTES + 1, MAX_BODY_BYTES])(
      'is not what a stranger’s %i bytes are refused for',
      async (length) => {
        expectTold(await send({ ...padded(length), ...FORGED }), TOLD.noMatch);
      },
    );

    it('does not keep another body from being refused', async () => {
      const body = paddedTo(KIB * KIB);
      const headers = { 'content-sha256': 'A'.repeat(64) };
      expectTold(await send({ name: 'GenerateRandom', body, headers }), TOLD.noMatch);
    });
  });

  it('is enough for a plaintext of almost 3 MiB, there and back', async () => {
    const Plaintext = randomBytes(MAX_BODY_BYTES - KIB);
    const { CiphertextBlob } = await client.call('AdvanceEncrypt', { KeyId: keyId, Plaintext });
    expect((await client.call('AdvanceDecrypt', { CiphertextBlob })).Plaintext.equals(Plaintext)).toBe(true);
  });

  it('of 3 MiB and a byte is too much for strangers, too, if they announce it', async () => {
    expectTold(await sendOnce({ ...padded(MAX_BODY_BYTES + 1), ...FORGED }), TOLD.tooLong);
  });

  it('that a stranger does not announce is never found out', async () => {
    expectTold(await sendChunked({ ...padded(MAX_BODY_BYTES + 1), ...FORGED }), TOLD.noMatch);
  });
});

/** Field 1 without its value, or nothing. */
const randomOf = (length: number): AlibabaRequest => ({
  name: 'GenerateRandom',
  body: Buffer.alloc(length, 0x08),
});

const sendBytes = (name: string, body: Buffer) => client.send({ name, body });
const sendFields = (name: string, fields: Fields) => sendBytes(name, encode(`${name}Request`, fields));

const OPERATIONS = [
  'AdvanceDecrypt',
  'AdvanceEncrypt',
  'AdvanceGenerateDataKey',
  'AdvanceGenerateDataKeyPair',
  'AdvanceGenerateDataKeyPairWithoutPlaintext',
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateRandom',
];

describe.each(OPERATIONS)('%s', (name) => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('KeyId=alias/example')],
    ['JSON', Buffer.from('{"KeyId":"alias/example"}')],
    ['zeros', Buffer.alloc(64)],
    ['ones', Buffer.alloc(64, 0xff)],
    ['a field without its value', hex('0a')],
    ['a field longer than the body', hex('0a05616263')],
    ['a length without end', hex('0affffffffff7f')],
    ['a field of another type', hex('0d01020304')],
    ['a group', hex('0b0c')],
    ['half a group', hex('0b')],
    ['field 0', hex('0001')],
    ['no UTF-8', hex('0a02c328', '1202c328', '1a02c328')],
  ])('with %s for a body is refused', async (_what, body) => {
    expectTold(await sendBytes(name, body), TOLD.invalidParameter);
  });
});

describe('a field that is not as it must be is refused', () => {
  const pair = { KeyPairSpec: 'EC_P256', KeyFormat: 'PEM' };
  const cases: [what: string, name: string, fields: (KeyId: string) => Fields][] = [
    ['no key', 'Encrypt', () => ({ Plaintext: Buffer.of(1) })],
    ['no key', 'Decrypt', () => ({ CiphertextBlob: Buffer.alloc(64) })],
    ['no key', 'GenerateDataKey', () => ({ NumberOfBytes: 16 })],
    ['no key', 'GenerateDataKeyPair', () => pair],
    ['no plaintext', 'Encrypt', (KeyId) => ({ KeyId })],
    ['no ciphertext', 'Decrypt', (KeyId) => ({ KeyId })],
    ['no ciphertext', 'AdvanceDecrypt', () => ({})],
    ['another algorithm', 'Encrypt', (KeyId) => ({ KeyId, Plaintext: Buffer.of(1), Algorithm: 'AES_CBC' })],
    ['a padding mode', 'Encrypt', (KeyId) => ({ KeyId, Plaintext: Buffer.of(1), PaddingMode: 'PKCS7' })],
    ['an IV', 'Encrypt', (KeyId) => ({ KeyId, Plaintext: Buffer.of(1), Iv: Buffer.alloc(12) })],
    ['an IV', 'AdvanceEncrypt', (KeyId) => ({ KeyId, Plaintext: Buffer.of(1), Iv: Buffer.alloc(12) })],
    ['long Aad', 'Encrypt', (KeyId) => ({ KeyId, Plaintext: Buffer.of(1), Aad: Buffer.alloc(8193) })],
    ['long Aad', 'GenerateDataKeyPair', (KeyId) => ({ KeyId, ...pair, Aad: Buffer.alloc(8193) })],
    ['long Aad', 'Decrypt', (KeyId) => ({ KeyId, CiphertextBlob: Buffer.of(1), Aad: Buffer.alloc(8193) })],
    ['no length', 'GenerateRandom', () => ({})],
    ['a negative length', 'GenerateRandom', () => ({ Length: -1 })],
    ['a great length', 'GenerateRandom', () => ({ Length: 2 ** 31 - 1 })],
    ['no number', 'GenerateDataKey', (KeyId) => ({ KeyId })],
    ['a negative number', 'GenerateDataKey', (KeyId) => ({ KeyId, NumberOfBytes: -16 })],
    ['a great number', 'AdvanceGenerateDataKey', (KeyId) => ({ KeyId, NumberOfBytes: 1025 })],
    ['no spec', 'GenerateDataKeyPair', (KeyId) => ({ KeyId, KeyFormat: 'PEM' })],
    ['AWS’s spec', 'GenerateDataKeyPair', (KeyId) => ({ KeyId, ...pair, KeyPairSpec: 'ECC_NIST_P256' })],
    ['no format', 'GenerateDataKeyPair', (KeyId) => ({ KeyId, KeyPairSpec: 'EC_P256' })],
    ['another format', 'AdvanceGenerateDataKeyPair', (KeyId) => ({ KeyId, ...pair, KeyFormat: 'pem' })],
    ['no ciphertext of ours', 'AdvanceDecrypt', () => ({ CiphertextBlob: Buffer.alloc(100, 7) })],
    ['a short ciphertext', 'AdvanceDecrypt', () => ({ CiphertextBlob: Buffer.of(1) })],
  ];

  it.each(cases)('%s: %s', async (_what, name, fields) => {
    expectTold(await sendFields(name, fields(keyId)), TOLD.invalidParameter);
  });

  it('a ciphertext that differs in one byte, its length, its IV or its Aad', async () => {
    const Aad = Buffer.from('bound');
    const made = await client.call('AdvanceEncrypt', { KeyId: keyId, Plaintext: Buffer.from('data'), Aad });
    const { CiphertextBlob, Iv } = made;
    const last = CiphertextBlob.length - 1;
    const changed = Buffer.from(CiphertextBlob);
    changed[last] = Number(changed[last]) ^ 1;
    const wrong: Fields[] = [
      { CiphertextBlob: changed, Aad },
      { CiphertextBlob: CiphertextBlob.subarray(0, last), Aad },
      { CiphertextBlob: Buffer.concat([CiphertextBlob, Buffer.of(0)]), Aad },
      { CiphertextBlob },
      { CiphertextBlob, Aad: Buffer.from('bounD') },
      { CiphertextBlob, Aad, Iv: Buffer.alloc(12) },
      { CiphertextBlob, Aad, Iv: Iv.subarray(1) },
      { CiphertextBlob, Aad, KeyId: await createKey(kms) },
    ];
    for (const fields of wrong) expectTold(await sendFields('AdvanceDecrypt', fields), TOLD.invalidParameter);
    const opened = await client.call('AdvanceDecrypt', { CiphertextBlob, Aad, Iv });
    expect(opened.Plaintext).toEqual(Buffer.from('data'));
  });
});

describe('whatever comes', () => {
  const statuses = new Set([200, 400, 401, 404, 415]);

  /** A good body, with some of its bytes replaced, cut off, or others put between. */
  function mangled(): [name: string, body: Buffer] {
    const name = OPERATIONS[randomInt(OPERATIONS.length)] ?? '';
    const fields: Fields = name === 'GenerateRandom' ? { Length: 16 } : { KeyId: keyId };
    const more = /Encrypt/.test(name) ? { Plaintext: randomBytes(randomInt(64)), Aad: randomBytes(4) } : {};
    const body = encode(`${name}Request`, { ...fields, ...more });
    const at = randomInt(body.length + 1);
    const noise = randomBytes(randomInt(8));
    return [name, Buffer.concat([body.subarray(0, at), noise, body.subarray(at + randomInt(3))])];
  }

  it('in the body, the answer is a documented one', async () => {
    for (let round = 0; round < 300; round++) {
      const [name, body] = mangled();
      const answer = await sendBytes(name, round % 3 === 0 ? randomBytes(randomInt(200)) : body);
      expect({ body: body.toString('hex'), known: statuses.has(answer.httpStatus) }).toMatchObject({
        known: true,
      });
      if (answer.httpStatus !== 200) expect(answer.error().StatusCode).toBe(answer.httpStatus);
    }
  });

  it('in the headers, the answer is a documented one', async () => {
    const names = ['content-type', 'content-sha256', 'date', 'authorization', 'x-kms-note'].concat(
      ['apiversion', 'apiname', 'signaturemethod', 'acccesskeyid'].map((name) => `x-kms-${name}`),
    );
    const { body } = padded(100);
    for (let round = 0; round < 300; round++) {
      const name = names[randomInt(names.length)] ?? '';
      const value = randomBytes(randomInt(40))
        .toString('latin1')
        .replace(/[^\t -~\u0080-\u00ff]/g, '');
      const change = { [name]: round % 5 === 0 ? undefined : value };
      const how = round % 2 === 0 ? { headers: change } : { unsigned: change };
      const answer = await client.send({ name: 'GenerateRandom', body, ...how });
      expect({ change, known: statuses.has(answer.httpStatus) }).toMatchObject({ known: true });
    }
  });

  it('nothing of it is a fault of the service', () => {
    expect(server.log().filter(({ level }) => level === 'error')).toEqual([]);
  });
});
