import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { kmsClient, refusalOf } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';

const CONTEXT = { Purpose: 'Test' };

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: KMSClient;
let keyId: string;
/** Wrapped under `never`, and wrapped under a setting that hands private keys out. */
let sealed: Buffer;
let unsealed: Buffer;

async function restart(setting: string | undefined): Promise<void> {
  await server?.terminate();
  server = await startServer(site, { P11KMS_PRIVATE_KEY_EXPORT: setting });
  client = kmsClient(server);
}

const input = (KeyPairSpec: 'ECC_NIST_P256' | 'RSA_2048' = 'ECC_NIST_P256') => ({
  KeyId: keyId,
  KeyPairSpec,
  EncryptionContext: CONTEXT,
});

const generate = (spec?: 'ECC_NIST_P256' | 'RSA_2048') =>
  client.send(new GenerateDataKeyPairCommand(input(spec)));

const generateWithoutPlaintext = () =>
  client.send(new GenerateDataKeyPairWithoutPlaintextCommand(input('ECC_NIST_P256')));

const decrypt = (
  CiphertextBlob: Uint8Array | undefined,
  EncryptionContext: Record<string, string> = CONTEXT,
) => client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));

const spkiOf = (pkcs8: Uint8Array | undefined) =>
  createPublicKey(createPrivateKey({ key: Buffer.from(pkcs8 ?? []), format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  });

beforeAll(async () => {
  site = await createShimSite();
});

// The tests of this file follow one site from setting to setting: each goes on where the one before ended.

describe('never', () => {
  beforeAll(async () => {
    await restart('never');
    keyId = String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
  });

  it.each([
    ['GenerateDataKeyPair', () => generate()],
    ['GenerateDataKeyPairWithoutPlaintext', () => generateWithoutPlaintext()],
  ])('%s gives a public key and a wrapped private key, which Decrypt does not open', async (_name, run) => {
    const pair = await run();
    expect(pair).not.toHaveProperty('PrivateKeyPlaintext', expect.anything());
    expect(pair.PublicKey?.length).toBe(91);
    sealed = Buffer.from(pair.PrivateKeyCiphertextBlob ?? []);
    site.shim.clearLog();
    expect(await refusalOf(decrypt(sealed))).toMatchObject({
      name: 'UnsupportedOperationException',
      status: 400,
    });
    // The token was not even asked.
    expect(site.shim.log()).toEqual([]);
  });

  it('still encrypts and decrypts data', async () => {
    const Plaintext = Buffer.from('data');
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: keyId, Plaintext, EncryptionContext: CONTEXT }),
    );
    const opened = await decrypt(CiphertextBlob);
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
  });
});

describe('on-request, the default', () => {
  beforeAll(() => restart(undefined));

  it('leaves sealed what was sealed', async () => {
    expect(await refusalOf(decrypt(sealed))).toMatchObject({ name: 'UnsupportedOperationException' });
  });

  it('opens no sealed key whose seal is broken off', async () => {
    const forged = Buffer.from(sealed);
    forged.writeUInt8(0, 2);
    expect(await refusalOf(decrypt(forged))).toMatchObject({ name: 'InvalidCiphertextException' });
  });

  it.each([
    ['GenerateDataKeyPair', () => generate()],
    ['GenerateDataKeyPairWithoutPlaintext', () => generateWithoutPlaintext()],
  ])('%s gives no plaintext, Decrypt does', async (_name, run) => {
    const pair = await run();
    expect(pair).not.toHaveProperty('PrivateKeyPlaintext', expect.anything());
    const { Plaintext } = await decrypt(pair.PrivateKeyCiphertextBlob);
    expect(spkiOf(Plaintext)).toEqual(Buffer.from(pair.PublicKey ?? []));
    unsealed = Buffer.from(pair.PrivateKeyCiphertextBlob ?? []);
  });
});

describe('aws', () => {
  beforeAll(() => restart('aws'));

  it.each(['ECC_NIST_P256', 'RSA_2048'] as const)(
    'GenerateDataKeyPair of %s gives the private key that Decrypt gives',
    async (spec) => {
      const pair = await generate(spec);
      const { Plaintext } = await decrypt(pair.PrivateKeyCiphertextBlob);
      expect(pair.PrivateKeyPlaintext).toEqual(Plaintext);
      expect(spkiOf(pair.PrivateKeyPlaintext)).toEqual(Buffer.from(pair.PublicKey ?? []));
      expect((await refusalOf(decrypt(pair.PrivateKeyCiphertextBlob, {}))).name).toBe(
        'InvalidCiphertextException',
      );
    },
  );

  it('GenerateDataKeyPairWithoutPlaintext gives none', async () => {
    expect(await generateWithoutPlaintext()).not.toHaveProperty('PrivateKeyPlaintext', expect.anything());
  });

  it('leaves sealed what was sealed', async () => {
    expect(await refusalOf(decrypt(sealed))).toMatchObject({ name: 'UnsupportedOperationException' });
  });
});

describe('never again', () => {
  beforeAll(() => restart('never'));

  it('opens no key, not even one that was never sealed', async () => {
    expect(unsealed.length).toBeGreaterThan(0);
    expect(await refusalOf(decrypt(unsealed))).toMatchObject({ name: 'UnsupportedOperationException' });
  });
});
