import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { kmsClient, type RawAnswer, sendRaw } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const PLAINTEXT = Buffer.from('data').toString('base64');

let server: Server;
let keyId: string;

beforeAll(async () => {
  server = await startServer(createSite());
  const { KeyMetadata } = await kmsClient(server).send(new CreateKeyCommand({}));
  keyId = String(KeyMetadata?.KeyId);
});

/** Requests whose context is JSON text: an object literal cannot say all that JSON can. */
const encrypt = (context: string) =>
  sendRaw(
    server,
    'Encrypt',
    `{"KeyId":"${keyId}","Plaintext":"${PLAINTEXT}","EncryptionContext":${context}}`,
  );

const decrypt = (blob: unknown, context: string) =>
  sendRaw(server, 'Decrypt', `{"CiphertextBlob":"${blob}","EncryptionContext":${context}}`);

const typeOf = (answer: RawAnswer) => [answer.status, answer.json().__type];

describe.each([
  ['__proto__', '{"__proto__":"polluted"}', '{"__proto__":"other"}'],
  ['constructor', '{"constructor":"x"}', '{"constructor":"y"}'],
  ['an empty key', '{"":"x"}', '{"":"y"}'],
  ['an empty value', '{"a":""}', '{"a":"x"}'],
  ['a null character', '{"a\\u0000b":"c"}', '{"a":"b"}'],
  [
    'text beyond the basic plane',
    '{"\\ud83d\\ude00":"x","\\uffee":"y"}',
    '{"\\ud83d\\ude01":"x","\\uffee":"y"}',
  ],
  ['a text that is composed', '{"\\u00e9":"x"}', '{"e\\u0301":"x"}'],
])('%s in the encryption context', (_what, context, other) => {
  it('is bound to the ciphertext', async () => {
    const encrypted = await encrypt(context);
    expect(encrypted.status).toBe(200);
    const blob = encrypted.json().CiphertextBlob;
    expect((await decrypt(blob, context)).json()).toMatchObject({ Plaintext: PLAINTEXT });
    for (const wrong of [other, '{}', 'null']) {
      expect(typeOf(await decrypt(blob, wrong))).toEqual([400, 'InvalidCiphertextException']);
    }
  });
});

it('does not leak from one request into another', async () => {
  await encrypt('{"__proto__":"polluted"}');
  const blob = (await encrypt('{}')).json().CiphertextBlob;
  expect((await decrypt(blob, '{}')).json()).toMatchObject({ Plaintext: PLAINTEXT });
});

it('with a pair twice counts the last, as JSON has it', async () => {
  const blob = (await encrypt('{"a":"first","a":"last"}')).json().CiphertextBlob;
  expect((await decrypt(blob, '{"a":"last"}')).json()).toMatchObject({ Plaintext: PLAINTEXT });
});

it('of hundreds of pairs is bound in any order', async () => {
  const pairs = Array.from({ length: 500 }, (_, n) => [`key ${n}`, `value ${n}`]);
  const blob = (await encrypt(JSON.stringify(Object.fromEntries(pairs)))).json().CiphertextBlob;
  const reversed = JSON.stringify(Object.fromEntries([...pairs].reverse()));
  expect((await decrypt(blob, reversed)).json()).toMatchObject({ Plaintext: PLAINTEXT });
});

it.each(['{"\\ud800":"x"}', '{"x":"\\udc00"}', '{"x":"\\ude00\\ud83d"}'])(
  'with a lone surrogate is refused: %s',
  async (context) => {
    expect(typeOf(await encrypt(context))).toEqual([400, 'ValidationException']);
    const blob = (await encrypt('{"\\ufffd":"x"}')).json().CiphertextBlob;
    expect(typeOf(await decrypt(blob, context))).toEqual([400, 'ValidationException']);
  },
);
