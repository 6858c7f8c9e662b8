import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import {
  CreateKeyCommand,
  type DataKeyPairSpec,
  DecryptCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { kmsClient } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

/** Every spec with what node:crypto says of such a key. */
const SPECS: readonly (readonly [DataKeyPairSpec, object])[] = [
  ['RSA_2048', { modulusLength: 2048, publicExponent: 65537n }],
  ['RSA_3072', { modulusLength: 3072, publicExponent: 65537n }],
  ['RSA_4096', { modulusLength: 4096, publicExponent: 65537n }],
  ['ECC_NIST_P256', { namedCurve: 'prime256v1' }],
  ['ECC_NIST_P384', { namedCurve: 'secp384r1' }],
  ['ECC_NIST_P521', { namedCurve: 'secp521r1' }],
  ['ECC_SECG_P256K1', { namedCurve: 'secp256k1' }],
];
const CONTEXT = { Purpose: 'Test', ключ: 'значение' };
const MESSAGE = Buffer.from('what the private key signs');

let client: KMSClient;
let keyId: string;
let keyArn: string;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  keyId = String(KeyMetadata?.KeyId);
  keyArn = String(KeyMetadata?.Arn);
});

const generate = {
  GenerateDataKeyPair: (KeyPairSpec: DataKeyPairSpec) =>
    client.send(new GenerateDataKeyPairCommand({ KeyId: keyId, KeyPairSpec, EncryptionContext: CONTEXT })),
  GenerateDataKeyPairWithoutPlaintext: (KeyPairSpec: DataKeyPairSpec) =>
    client.send(
      new GenerateDataKeyPairWithoutPlaintextCommand({
        KeyId: keyId,
        KeyPairSpec,
        EncryptionContext: CONTEXT,
      }),
    ),
};

async function decryptPrivateKey(ciphertext: Uint8Array | undefined): Promise<Buffer> {
  const command = new DecryptCommand({ CiphertextBlob: ciphertext, EncryptionContext: CONTEXT });
  const { Plaintext, KeyId } = await client.send(command);
  expect(KeyId).toBe(keyArn);
  return Buffer.from(Plaintext ?? []);
}

const publicKeyOf = (der: Uint8Array | undefined) =>
  createPublicKey({ key: Buffer.from(der ?? []), format: 'der', type: 'spki' });

/** The uncompressed point of an EC public key. */
function pointOf(publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

/** How long a DER SEQUENCE says that it is, with its header. */
function lengthOfSequence(der: Buffer): number {
  expect(der[0]).toBe(0x30);
  const first = der.readUInt8(1);
  if (first < 0x80) return 2 + first;
  const lengthBytes = first - 0x80;
  return 2 + lengthBytes + der.readUIntBE(2, lengthBytes);
}

const spkiOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' });

describe.each(SPECS)('%s', (spec, details) => {
  it.each(['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'] as const)(
    'by %s: the private key, once decrypted, signs what the public key verifies',
    async (operation) => {
      const pair = await generate[operation](spec);
      expect(pair).toEqual({
        $metadata: expect.objectContaining({ httpStatusCode: 200, requestId: expect.any(String) }),
        KeyId: keyArn,
        KeyPairSpec: spec,
        KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
        PrivateKeyCiphertextBlob: expect.any(Uint8Array),
        PublicKey: expect.any(Uint8Array),
      });
      const publicKey = publicKeyOf(pair.PublicKey);
      expect(publicKey.asymmetricKeyDetails).toMatchObject(details);
      expect(spkiOf(publicKey)).toEqual(Buffer.from(pair.PublicKey ?? []));

      const pkcs8 = await decryptPrivateKey(pair.PrivateKeyCiphertextBlob);
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
      expect(privateKey.asymmetricKeyDetails).toMatchObject(details);
      expect(verify('sha256', MESSAGE, publicKey, sign('sha256', MESSAGE, privateKey))).toBe(true);

      // Standard DER: as node:crypto writes it, and nothing behind it.
      expect(lengthOfSequence(pkcs8)).toBe(pkcs8.length);
      expect(pkcs8).toEqual(privateKey.export({ format: 'der', type: 'pkcs8' }));
      if (privateKey.asymmetricKeyType === 'ec') expect(pkcs8.includes(pointOf(publicKey))).toBe(true);
    },
  );
});

it('makes another pair and another ciphertext every time', async () => {
  const pairs = await Promise.all(
    Array.from({ length: 8 }, () => generate.GenerateDataKeyPair('ECC_NIST_P256')),
  );
  for (const member of ['PublicKey', 'PrivateKeyCiphertextBlob'] as const) {
    const values = pairs.map((pair) => Buffer.from(pair[member] ?? []).toString('hex'));
    expect(new Set(values).size).toBe(pairs.length);
  }
});
