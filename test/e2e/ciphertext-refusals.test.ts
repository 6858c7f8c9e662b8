import {
  CreateKeyCommand,
  DecryptCommand,
  type DecryptCommandInput,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, type Refusal, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

/** Offsets of docs/ciphertext.md. */
const FLAGS = 2;
const KEY_ID = { first: 4, end: 20 } as const;

const CONTEXT = { tenant: 'alpha', purpose: 'test' };

let client: KMSClient;
let keyId: string;
let otherKeyId: string;
const ciphertexts = new Map<string, Buffer>();

async function createKey(): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  return String(KeyMetadata?.KeyId);
}

async function encrypt(KeyId: string): Promise<Buffer> {
  const Plaintext = Buffer.from('some data');
  const command = new EncryptCommand({ KeyId, Plaintext, EncryptionContext: CONTEXT });
  return Buffer.from((await client.send(command)).CiphertextBlob ?? []);
}

async function generatePair(KeyId: string): Promise<Buffer> {
  const spec = { KeyPairSpec: 'ECC_NIST_P256', EncryptionContext: CONTEXT } as const;
  const pair = await client.send(new GenerateDataKeyPairCommand({ KeyId, ...spec }));
  return Buffer.from(pair.PrivateKeyCiphertextBlob ?? []);
}

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  keyId = await createKey();
  otherKeyId = await createKey();
  ciphertexts.set('data', await encrypt(keyId));
  ciphertexts.set('an EC private key', await generatePair(keyId));
});

const decrypt = (CiphertextBlob: Buffer, more: Partial<DecryptCommandInput> = {}) =>
  client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: CONTEXT, ...more }));

/** Every refusal must be one of a client's faults and say nothing about what was wrong. */
async function refusals(blobs: readonly Buffer[]): Promise<Refusal[]> {
  const found: Refusal[] = [];
  // In small groups: a lane's queue is bounded.
  for (let first = 0; first < blobs.length; first += 32) {
    const group = blobs.slice(first, first + 32);
    found.push(...(await Promise.all(group.map((blob) => refusalOf(decrypt(blob))))));
  }
  for (const { status } of found) expect(status).toBe(400);
  return found;
}

/** A copy with these bits of one byte flipped. */
function flipped(blob: Buffer, offset: number, bits: number): Buffer {
  const copy = Buffer.from(blob);
  copy.writeUInt8(copy.readUInt8(offset) ^ bits, offset);
  return copy;
}

const namesKey = (offset: number) => offset >= KEY_ID.first && offset < KEY_ID.end;

describe.each(['data', 'an EC private key'])('the ciphertext of %s', (kind) => {
  let blob: Buffer;
  beforeAll(() => {
    blob = ciphertexts.get(kind) ?? Buffer.alloc(0);
  });

  it('opens as it is, whether its key is named or not', async () => {
    for (const more of [{}, { KeyId: keyId }]) {
      const { Plaintext } = await decrypt(blob, more);
      expect(Plaintext?.length).toBeGreaterThan(0);
    }
  });

  it('is refused with any byte changed', async () => {
    const offsets = [...blob.keys()];
    const found = await refusals(offsets.map((offset) => flipped(blob, offset, 0xff)));
    const expected = offsets.map((offset) =>
      namesKey(offset) ? 'AccessDeniedException' : 'InvalidCiphertextException',
    );
    expect(found.map(({ name }) => name)).toEqual(expected);
    const words = found
      .filter(({ name }) => name === 'InvalidCiphertextException')
      .map(({ message }) => message);
    expect(new Set(words).size).toBe(1);
  });

  it('is refused with any bit of its header changed', async () => {
    const headerBits = Array.from({ length: 26 * 8 }, (_, bit) => ({
      offset: bit >> 3,
      bits: 1 << (bit & 7),
    }));
    const found = await refusals(headerBits.map(({ offset, bits }) => flipped(blob, offset, bits)));
    const expected = headerBits.map(({ offset, bits }) => {
      if (namesKey(offset)) return 'AccessDeniedException';
      // A private key that says that it is sealed is refused before anything about it is found out.
      const sealed = offset === FLAGS && bits === 1 && kind !== 'data';
      return sealed ? 'UnsupportedOperationException' : 'InvalidCiphertextException';
    });
    expect(found.map(({ name }) => name)).toEqual(expected);
  });

  it('is refused at every shorter length, and with bytes behind it', async () => {
    const shorter = [...blob.keys()].slice(1).map((length) => blob.subarray(0, length));
    const longer = [1, 16, 40].map((bytes) => Buffer.concat([blob, Buffer.alloc(bytes)]));
    const found = await refusals([...shorter, ...longer]);
    expect(new Set(found.map(({ name }) => name))).toEqual(new Set(['InvalidCiphertextException']));
  });

  it.each([
    ['no context', undefined],
    ['an empty context', {}],
    ['another value', { ...CONTEXT, tenant: 'beta' }],
    ['another key', { Tenant: 'alpha', purpose: 'test' }],
    ['a pair too few', { tenant: 'alpha' }],
    ['a pair too many', { ...CONTEXT, more: '' }],
    ['keys and values swapped', { alpha: 'tenant', test: 'purpose' }],
    ['the same bytes, cut elsewhere', { tenantalpha: '', purpose: 'test' }],
  ])('is refused with %s', async (_what, EncryptionContext) => {
    expect(await exceptionOf(decrypt(blob, { EncryptionContext }))).toBe('InvalidCiphertextException');
  });

  it('opens with the same context in another order', async () => {
    const { Plaintext } = await decrypt(blob, { EncryptionContext: { purpose: 'test', tenant: 'alpha' } });
    expect(Plaintext?.length).toBeGreaterThan(0);
  });

  it("is refused under another key's id", async () => {
    expect(await exceptionOf(decrypt(blob, { KeyId: otherKeyId }))).toBe('IncorrectKeyException');
  });

  it('is refused when it is told to be of another key', async () => {
    const forged = Buffer.from(blob);
    forged.write(otherKeyId.replaceAll('-', ''), KEY_ID.first, 'hex');
    expect(await exceptionOf(decrypt(forged))).toBe('InvalidCiphertextException');
    expect(await exceptionOf(decrypt(forged, { KeyId: keyId }))).toBe('IncorrectKeyException');
  });
});

it('never opens one kind as the other', async () => {
  const data = ciphertexts.get('data') ?? Buffer.alloc(0);
  const privateKey = ciphertexts.get('an EC private key') ?? Buffer.alloc(0);
  // The body of the one behind the header of the other: the public point has 65 bytes.
  const asData = Buffer.concat([data.subarray(0, 26), privateKey.subarray(26 + 65)]);
  const asKey = Buffer.concat([privateKey.subarray(0, 26 + 65), data.subarray(26)]);
  for (const forged of [asData, asKey]) {
    expect(await exceptionOf(decrypt(forged))).toBe('InvalidCiphertextException');
  }
});
