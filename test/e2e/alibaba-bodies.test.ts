import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import {
  type AlibabaAnswer,
  type AlibabaClient,
  type AlibabaRequest,
  alibabaClient,
} from '../support/alibaba-client';
import { type Answers, decode, encode, type Fields, OPERATION_NAMES } from '../support/alibaba-messages';
import { expectTold, TOLD, toldBy } from '../support/alibaba-refusals';
import { type ClientKey, insertClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const KIB = 1024;
const MAX_BODY_BYTES = 3 * KIB * KIB;
const MAX_STRANGERS_BODY_BYTES = 256 * KIB;

let server: Server;
let key: ClientKey;
let client: AlibabaClient;
let keyId: string;

beforeAll(async () => {
  const site = createSite();
  server = await startServer(site);
  keyId = await createKey(kmsClient(server));
  key = insertClientKey(site, 'root');
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

/** On a connection of its own: one on which much too much came is cut. */
const sendOnce = (request: AlibabaRequest) => alibabaClient({ url: server.url, ...key }).send(request);

const sendChunked = (request: AlibabaRequest) => sendOnce({ ...request, chunked: true });

const FORGED = { sign: () => Buffer.alloc(256, 1) };

describe('the length of a body', () => {
  const ways: [string, (request: AlibabaRequest) => Promise<AlibabaAnswer>][] = [
    ['with its length', sendOnce],
    ['in chunks', sendChunked],
  ];

  describe.each(ways)('sent %s', (_how, send) => {
    it.each([0, 1])('of %i bytes is enough for the answer to be about what is in it', async (length) => {
      expectTold(await send(randomOf(length)), TOLD.invalidParameter);
    });

    it.each([MAX_STRANGERS_BODY_BYTES, MAX_STRANGERS_BODY_BYTES + 1, MAX_BODY_BYTES])(
      'of %i bytes is not too much',
      async (length) => {
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

  it('is enough for the longest plaintext that is taken, there and back, with the longest Aad', async () => {
    const Plaintext = randomBytes(MAX_BODY_BYTES - 32 * KIB);
    const bound = { KeyId: keyId, Algorithm: 'AES_GCM', Aad: randomBytes(8192) };
    const { CiphertextBlob, Iv } = await client.call('Encrypt', { ...bound, Plaintext });
    const opened = await client.call('Decrypt', { ...bound, CiphertextBlob, Iv });
    expect(opened.Plaintext.equals(Plaintext)).toBe(true);
    const longer = client.call('AdvanceEncrypt', {
      KeyId: keyId,
      Plaintext: randomBytes(MAX_BODY_BYTES - 32 * KIB + 1),
    });
    expect(await toldBy(longer)).toEqual(TOLD.invalidParameter);
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

describe.each(OPERATION_NAMES)('%s', (name) => {
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

const NAMES = {
  encrypt: ['Encrypt', 'AdvanceEncrypt'],
  decrypt: ['Decrypt', 'AdvanceDecrypt'],
  dataKey: ['GenerateDataKey', 'AdvanceGenerateDataKey'],
  pair: OPERATION_NAMES.filter((name) => name.includes('KeyPair')),
  random: ['GenerateRandom'],
} as const satisfies Record<string, readonly (keyof Answers)[]>;
type Kind = keyof typeof NAMES;

/** A good request of each kind of operation. */
async function goodFields(): Promise<Record<Kind, Fields>> {
  const plaintext = { KeyId: keyId, Plaintext: Buffer.of(1) };
  const { CiphertextBlob } = await client.call('Encrypt', plaintext);
  return {
    encrypt: plaintext,
    decrypt: { KeyId: keyId, CiphertextBlob },
    dataKey: { KeyId: keyId, NumberOfBytes: 16 },
    pair: { KeyId: keyId, KeyPairSpec: 'EC_P256', KeyFormat: 'PEM' },
    random: { Length: 16 },
  };
}

describe('a field', () => {
  const OF_KEY: Kind[] = ['encrypt', 'decrypt', 'dataKey', 'pair'];
  const longId = `alias/${'a'.repeat(2043)}`;
  const cases: [what: string, kinds: Kind[], wrong: Fields][] = [
    ['a KeyId of more than 2048 characters', OF_KEY, { KeyId: longId }],
    ['a KeyId with a NUL', OF_KEY, { KeyId: 'alias/\0' }],
    ['no KeyId', ['encrypt', 'dataKey', 'pair'], { KeyId: '' }],
    ['an Aad of 8193 bytes', OF_KEY, { Aad: Buffer.alloc(8193) }],
    ['no Plaintext', ['encrypt'], { Plaintext: Buffer.alloc(0) }],
    ['another Algorithm', ['encrypt', 'decrypt'], { Algorithm: 'AES_CBC' }],
    ['a PaddingMode', ['encrypt', 'decrypt'], { PaddingMode: 'PKCS7_PADDING' }],
    ['no CiphertextBlob', ['decrypt'], { CiphertextBlob: Buffer.alloc(0) }],
    ['a CiphertextBlob of a byte', ['decrypt'], { CiphertextBlob: Buffer.of(1) }],
    ['a CiphertextBlob that is none', ['decrypt'], { CiphertextBlob: Buffer.alloc(100, 7) }],
    ['no NumberOfBytes', ['dataKey'], { NumberOfBytes: 0 }],
    ['a negative NumberOfBytes', ['dataKey'], { NumberOfBytes: -1 }],
    ['a NumberOfBytes of 1025', ['dataKey'], { NumberOfBytes: 1025 }],
    ['the greatest NumberOfBytes', ['dataKey'], { NumberOfBytes: 2 ** 31 - 1 }],
    ['no Length', ['random'], { Length: 0 }],
    ['a negative Length', ['random'], { Length: -1 }],
    ['a Length of 1025', ['random'], { Length: 1025 }],
    ['the greatest Length', ['random'], { Length: 2 ** 31 - 1 }],
    ['no KeyPairSpec', ['pair'], { KeyPairSpec: '' }],
    ['an unknown KeyPairSpec', ['pair'], { KeyPairSpec: 'EC_P521' }],
    ['TrentService’s KeyPairSpec', ['pair'], { KeyPairSpec: 'ECC_NIST_P256' }],
    ['no KeyFormat', ['pair'], { KeyFormat: '' }],
    ['an unknown KeyFormat', ['pair'], { KeyFormat: 'pem' }],
  ];

  it('that is as it must be is taken by every operation', async () => {
    const good = await goodFields();
    for (const kind of Object.keys(NAMES) as Kind[]) {
      for (const name of NAMES[kind]) await client.call(name, good[kind]);
    }
  });

  it.each(cases)('that is not as it must be is refused: %s', async (_what, kinds, wrong) => {
    const good = await goodFields();
    for (const kind of kinds) {
      for (const name of NAMES[kind]) {
        const told = await toldBy(client.call(name, { ...good[kind], ...wrong }));
        expect([name, ...told]).toEqual([name, ...TOLD.invalidParameter]);
      }
    }
  });
});

it.each<[keyof Answers, Kind, Fields]>([
  ['Decrypt', 'decrypt', { KeyId: '' }],
  ['GenerateDataKey', 'dataKey', { Algorithm: 'AES_CBC' }],
  ['GenerateDataKeyPair', 'pair', { Algorithm: 'AES_CBC' }],
  ['GenerateDataKeyPairWithoutPlaintext', 'pair', { Algorithm: 'AES_CBC' }],
])('%s refuses what its Advance twin need not know: %s, %p', async (name, kind, wrong) => {
  const good = await goodFields();
  expect(await toldBy(client.call(name, { ...good[kind], ...wrong }))).toEqual(TOLD.invalidParameter);
});

describe('whatever comes', () => {
  // A run is a request.
  const RUNS = { numRuns: 100 };

  function expectDocumented(answer: AlibabaAnswer): void {
    expect([200, 400, 401, 404, 415]).toContain(answer.httpStatus);
    if (answer.httpStatus !== 200) expect(answer.error().StatusCode).toBe(answer.httpStatus);
    expect(server.log().filter(({ level }) => level === 'error')).toEqual([]);
  }

  /** An operation, and where bytes of its good body are cut out, and others are put in. */
  const damaged = fc.record({
    name: fc.constantFrom(...OPERATION_NAMES),
    at: fc.nat(80),
    cut: fc.nat(2),
    put: fc.uint8Array({ maxLength: 8 }),
  });

  it('in place of some of a good body, the answer is a documented one', async () => {
    const good = await goodFields();
    const bodyOf = (name: keyof Answers): Buffer => {
      const kind = (Object.keys(NAMES) as Kind[]).find((one) => NAMES[one].some((other) => other === name));
      return encode(`${name}Request`, kind ? good[kind] : {});
    };
    const property = fc.asyncProperty(damaged, async ({ name, at, cut, put }) => {
      const body = bodyOf(name);
      expectDocumented(
        await sendBytes(name, Buffer.concat([body.subarray(0, at), put, body.subarray(at + cut)])),
      );
    });
    await fc.assert(property, RUNS);
  });

  it('for a body, the answer is a documented one', async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(...OPERATION_NAMES),
      fc.uint8Array({ maxLength: 200 }),
      async (name, body) => expectDocumented(await sendBytes(name, Buffer.from(body))),
    );
    await fc.assert(property, RUNS);
  });

  it('in a header, signed or not, the answer is a documented one', async () => {
    const names = ['content-type', 'content-sha256', 'date', 'authorization', 'x-kms-note'].concat(
      ['apiversion', 'apiname', 'signaturemethod', 'acccesskeyid'].map((name) => `x-kms-${name}`),
    );
    const character = fc
      .oneof(fc.constant(0x09), fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
      .map((code) => String.fromCharCode(code));
    const value = fc.option(fc.string({ unit: character, maxLength: 40 }), { nil: undefined });
    const how = fc.constantFrom<'headers' | 'unsigned'>('headers', 'unsigned');
    const property = fc.asyncProperty(fc.constantFrom(...names), value, how, async (name, text, changes) => {
      expectDocumented(await client.send({ ...padded(100), [changes]: { [name]: text } }));
    });
    await fc.assert(property, RUNS);
  });
});
