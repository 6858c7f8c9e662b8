import {
  CreateKeyCommand,
  DescribeKeyCommand,
  type KMSClient,
  SignCommand,
  UnsupportedOperationException,
} from '@aws-sdk/client-kms';
import { UNSUPPORTED } from '../../src/api/trent/operations/unsupported';
import { get, kmsClient, type RawAnswer, type RawRequest, sendRaw } from '../support/kms-client';
import { metric } from '../support/metrics';
import { type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Of no key: what is wrong with a request is found before its key is looked up. */
const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const MAX_BODY_BYTES = 256 * 1024;

let server: Server;
let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  server = await startServer(createSite());
  client = kmsClient(server);
  keyId = String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
});

/** The answer in the shape that every error has. */
function expectRefusal(answer: RawAnswer, type: string, status = 400): string {
  expect(answer.json()).toEqual({ __type: type, message: expect.any(String) });
  expect(answer).toMatchObject({
    status,
    contentType: 'application/x-amz-json-1.1',
    requestId: expect.stringMatching(UUID),
  });
  return String(answer.json().message);
}

const send = (operation: string, body: string | Uint8Array<ArrayBuffer>, how?: RawRequest) =>
  sendRaw(server, operation, body, how);

const sendJson = (operation: string, body: unknown, how?: RawRequest) =>
  send(operation, JSON.stringify(body), how);

describe('a body that is not a request in JSON', () => {
  it.each([
    ['nothing', ''],
    ['half an object', '{"KeyId":'],
    ['two objects', '{}{}'],
    ['a comment', '{} // nothing'],
    ['single quotes', "{'KeyId':'x'}"],
    ['a list', '[]'],
    ['a string', '"KeyId"'],
    ['a number', '1'],
    ['null', 'null'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
    ['a byte order mark', '\ufeff{}'],
  ])('%s: SerializationException', async (_what, body) => {
    const message = expectRefusal(await send('ListKeys', body), 'SerializationException');
    expect(message).not.toContain('KeyId');
  });

  it('of 256 KiB is taken, of one byte more is not', async () => {
    const padded = (length: number) => `{"x":"${'x'.repeat(length - 8)}"}`;
    expect((await send('ListKeys', padded(MAX_BODY_BYTES))).status).toBe(200);
    expectRefusal(await send('ListKeys', padded(MAX_BODY_BYTES + 1)), 'RequestEntityTooLargeException', 413);
    expectRefusal(await send('ListKeys', 'x'.repeat(2 << 20)), 'RequestEntityTooLargeException', 413);
  });
});

describe('a member of a wrong JSON type: SerializationException', () => {
  it.each([
    ['Encrypt', { KeyId: 1, Plaintext: 'QQ==' }],
    ['Encrypt', { KeyId: [KEY_ID], Plaintext: 'QQ==' }],
    ['Encrypt', { KeyId: { id: KEY_ID }, Plaintext: 'QQ==' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 65 }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'not base64!' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', DryRun: 'true' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', GrantTokens: 'token' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', GrantTokens: [1] }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', EncryptionContext: [] }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', EncryptionContext: 'a=b' }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', EncryptionContext: { a: 1 } }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', EncryptionContext: { a: ['b'] } }],
    ['Encrypt', { KeyId: KEY_ID, Plaintext: 'QQ==', EncryptionContext: { a: { b: 'c' } } }],
    ['ListKeys', { Limit: '10' }],
    ['ListKeys', { Limit: 1.5 }],
    ['ListKeys', { Marker: 7 }],
    ['GenerateRandom', { NumberOfBytes: true }],
    ['CreateKey', { Description: false }],
    ['CreateKey', { MultiRegion: 'no' }],
    ['GenerateDataKeyPair', { KeyId: KEY_ID, KeyPairSpec: 1 }],
    ['CreateAlias', { AliasName: {}, TargetKeyId: KEY_ID }],
  ])('%s with %j', async (operation, body) => {
    expectRefusal(await sendJson(operation, body), 'SerializationException');
  });
});

describe('a broken constraint: ValidationException', () => {
  const encrypt = (more: object) => ({ KeyId: KEY_ID, Plaintext: 'QQ==', ...more });
  it.each([
    ['Encrypt', 'nothing', {}],
    ['Encrypt', 'no plaintext', { KeyId: KEY_ID }],
    ['Encrypt', 'an empty key id', encrypt({ KeyId: '' })],
    ['Encrypt', 'a key id of 2049 characters', encrypt({ KeyId: 'x'.repeat(2049) })],
    ['Encrypt', 'an empty plaintext', encrypt({ Plaintext: '' })],
    ['Encrypt', '4097 bytes', encrypt({ Plaintext: Buffer.alloc(4097).toString('base64') })],
    ['Encrypt', 'null in the context', encrypt({ EncryptionContext: { a: null } })],
    ['Encrypt', 'an unknown algorithm', encrypt({ EncryptionAlgorithm: 'ROT13' })],
    ['Decrypt', 'nothing', {}],
    ['Decrypt', 'an empty ciphertext', { CiphertextBlob: '' }],
    ['Decrypt', '6145 bytes', { CiphertextBlob: Buffer.alloc(6145).toString('base64') }],
    ['GenerateDataKeyPair', 'no spec', { KeyId: KEY_ID }],
    ['GenerateDataKeyPair', 'an unknown spec', { KeyId: KEY_ID, KeyPairSpec: 'RSA_1024' }],
    ['GenerateDataKey', 'no bytes', { KeyId: KEY_ID, NumberOfBytes: 0 }],
    ['GenerateDataKey', '1025 bytes', { KeyId: KEY_ID, NumberOfBytes: 1025 }],
    ['GenerateDataKey', 'an unknown spec', { KeyId: KEY_ID, KeySpec: 'AES_512' }],
    ['GenerateRandom', 'nothing', {}],
    ['ListKeys', 'a limit of 0', { Limit: 0 }],
    ['ListKeys', 'a limit of 1001', { Limit: 1001 }],
    ['ListAliases', 'a limit of 101', { Limit: 101 }],
    ['CreateKey', 'a description of 8193 characters', { Description: 'x'.repeat(8193) }],
    ['CreateKey', 'an unknown spec', { KeySpec: 'AES_512' }],
    ['DescribeKey', 'nothing', {}],
    ['EnableKey', 'nothing', {}],
    ['DisableKey', 'nothing', {}],
    ['CreateAlias', 'no target', { AliasName: 'alias/x' }],
    ['DeleteAlias', 'nothing', {}],
  ])('%s with %s', async (operation, _what, body) => {
    expectRefusal(await sendJson(operation, body), 'ValidationException');
  });

  it("is told in AWS's words, all of them at once", async () => {
    const body = { KeyId: '', KeyPairSpec: 'RSA_1024', GrantTokens: Array(11).fill('x') };
    const message = expectRefusal(await sendJson('GenerateDataKeyPair', body), 'ValidationException');
    expect(message).toMatch(/^3 validation errors detected: /);
    expect(message.split('; ')).toEqual([
      expect.stringContaining(
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
      ),
      expect.stringContaining(
        "'keyPairSpec' failed to satisfy constraint: Member must satisfy enum value set: [",
      ),
      expect.stringContaining(
        "'grantTokens' failed to satisfy constraint: Member must have length less than or",
      ),
    ]);
  });

  it('never quotes a plaintext', async () => {
    const Plaintext = Buffer.alloc(5000, 'secret ').toString('base64');
    const message = expectRefusal(
      await sendJson('Encrypt', { KeyId: 'x', Plaintext }),
      'ValidationException',
    );
    expect(message).not.toContain(Plaintext.slice(0, 16));
    expect(message).toContain("Value at 'plaintext' failed to satisfy constraint");
  });
});

describe('what AWS has and p11kms has not: UnsupportedOperationException', () => {
  it.each([
    ['GenerateDataKeyPair', { KeyId: KEY_ID, KeyPairSpec: 'SM2' }],
    ['GenerateDataKeyPair', { KeyId: KEY_ID, KeyPairSpec: 'ML_KEM_768' }],
    ['GenerateDataKeyPairWithoutPlaintext', { KeyId: KEY_ID, KeyPairSpec: 'ECC_NIST_EDWARDS25519' }],
    ['GenerateDataKey', { KeyId: KEY_ID, KeySpec: 'AES_256', Recipient: {} }],
    ['CreateKey', { KeySpec: 'HMAC_256' }],
    ['CreateKey', { CustomKeyStoreId: 'x' }],
  ])('%s with %j', async (operation, body) => {
    expectRefusal(await sendJson(operation, body), 'UnsupportedOperationException');
  });

  it.each([...UNSUPPORTED])('%s, by its name, and why', async (operation, why) => {
    const answer = await sendJson(operation, {});
    const message = expectRefusal(answer, 'UnsupportedOperationException');
    expect(message).toBe(`${operation} is not supported: ${why}.`);
    const line = await server.logged(({ requestId }) => requestId === answer.requestId);
    expect(line).toMatchObject({ operation, outcome: 'UnsupportedOperationException', status: 400 });
    const labels = { operation, outcome: 'UnsupportedOperationException' };
    expect(await metric(server, 'p11kms_requests_total', labels)).toBe(1);
  });

  it('is an exception that the SDK knows', async () => {
    const message = Buffer.from('message');
    const sign = new SignCommand({ KeyId: keyId, Message: message, SigningAlgorithm: 'ECDSA_SHA_256' });
    await expect(client.send(sign)).rejects.toBeInstanceOf(UnsupportedOperationException);
  });
});

describe('what is let through', () => {
  it('members that no operation has', async () => {
    const body = { KeyId: keyId, NoSuchMember: { deep: [1, null] }, keyId: 7 };
    expect((await sendJson('DescribeKey', body)).json()).toMatchObject({ KeyMetadata: { KeyId: keyId } });
  });

  it('null for a member that is not there', async () => {
    const body = {
      KeyId: keyId,
      Plaintext: 'QQ==',
      EncryptionContext: null,
      DryRun: null,
      GrantTokens: null,
    };
    expect((await sendJson('Encrypt', body)).status).toBe(200);
    expectRefusal(await sendJson('Encrypt', { KeyId: null, Plaintext: 'QQ==' }), 'ValidationException');
  });

  it('a content type with parameters', async () => {
    for (const contentType of ['application/x-amz-json-1.1; charset=utf-8', 'Application/X-Amz-Json-1.1']) {
      expect((await sendJson('ListKeys', {}, { contentType })).status).toBe(200);
    }
  });
});

it.each([
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/x-amz-json-1.0',
])('a body of type %s is refused', async (contentType) => {
  expectRefusal(await sendJson('ListKeys', {}, { contentType }), 'SerializationException');
});

it.each(['TrentService.NoSuchOperation', 'TrentService.listkeys', 'ListKeys', 'TrentService.__proto__', ''])(
  'the target "%s" is unknown',
  async (target) => {
    expectRefusal(await sendJson('', {}, { target }), 'UnknownOperationException');
  },
);

it('what answers nothing has an empty body, and a date is seconds since 1970, with milliseconds', async () => {
  expect(await sendJson('EnableKey', { KeyId: keyId })).toMatchObject({
    status: 200,
    text: '',
    contentType: 'application/x-amz-json-1.1',
    requestId: expect.stringMatching(UUID),
  });
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: keyId }));
  const CreationDate = Number(KeyMetadata?.CreationDate) / 1000;
  const answer = await sendJson('DescribeKey', { KeyId: keyId });
  expect(answer.json()).toMatchObject({ KeyMetadata: { CreationDate } });
});

it('paths and methods that are not there are told apart from the protocol', async () => {
  expect(await get(server, '/nothing')).toMatchObject({
    status: 404,
    requestId: expect.stringMatching(UUID),
  });
  expect(await get(server, '/')).toMatchObject({ status: 405, requestId: expect.stringMatching(UUID) });
});

it('gives every request an id of its own, which the log has too', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => sendJson('ListKeys', {})));
  const ids = answers.map(({ requestId }) => requestId);
  expect(new Set(ids).size).toBe(5);
  for (const id of ids) {
    await server.logged(({ requestId, operation }) => requestId === id && operation === 'ListKeys');
  }
});
