import {
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  type KMSClient,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createShimSite } from '../support/site';

const CONTEXT = { tenant: 'alpha' };
const NO_KEY = '00000000-0000-4000-8000-000000000000';

let site: Awaited<ReturnType<typeof createShimSite>>;
let client: KMSClient;
let keyId: string;
let keyArn: string;
let materialId: string;

beforeAll(async () => {
  site = await createShimSite();
  client = kmsClient(await startServer(site));
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  keyId = String(KeyMetadata?.KeyId);
  keyArn = String(KeyMetadata?.Arn);
  materialId = String(KeyMetadata?.CurrentKeyMaterialId);
});

const ok = expect.objectContaining({ httpStatusCode: 200, requestId: expect.any(String), attempts: 1 });

const open = async (CiphertextBlob: Uint8Array | undefined, EncryptionContext?: Record<string, string>) =>
  Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))).Plaintext ?? []);

describe('Encrypt and Decrypt', () => {
  it('bring back what went in, with all fields of their answers', async () => {
    const Plaintext = Buffer.from('plain text');
    const input = { KeyId: keyId, Plaintext, EncryptionContext: CONTEXT } as const;
    const encrypted = await client.send(
      new EncryptCommand({ ...input, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }),
    );
    expect(encrypted).toEqual({
      $metadata: ok,
      KeyId: keyArn,
      CiphertextBlob: expect.any(Uint8Array),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    const decrypted = await client.send(
      new DecryptCommand({
        CiphertextBlob: encrypted.CiphertextBlob,
        EncryptionContext: CONTEXT,
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      }),
    );
    expect(decrypted).toEqual({
      $metadata: ok,
      KeyId: keyArn,
      Plaintext: expect.any(Uint8Array),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: materialId,
    });
    expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
  });

  it.each(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const)(
    'do not know %s for a symmetric key',
    async (EncryptionAlgorithm) => {
      const Plaintext = Buffer.from('data');
      const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: keyId, Plaintext }));
      for (const command of [
        new EncryptCommand({ KeyId: keyId, Plaintext, EncryptionAlgorithm }),
        new DecryptCommand({ CiphertextBlob, EncryptionAlgorithm }),
        new DecryptCommand({ KeyId: keyId, CiphertextBlob, EncryptionAlgorithm }),
        new ReEncryptCommand({
          CiphertextBlob,
          DestinationKeyId: keyId,
          SourceEncryptionAlgorithm: EncryptionAlgorithm,
        }),
        new ReEncryptCommand({
          CiphertextBlob,
          DestinationKeyId: keyId,
          DestinationEncryptionAlgorithm: EncryptionAlgorithm,
        }),
      ]) {
        expect(await refusalOf(client.send(command as EncryptCommand))).toMatchObject({
          name: 'InvalidKeyUsageException',
          status: 400,
          message: `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
        });
      }
      const unknown = new EncryptCommand({ KeyId: NO_KEY, Plaintext, EncryptionAlgorithm });
      expect(await exceptionOf(client.send(unknown))).toBe('NotFoundException');
    },
  );

  it.each([1, 15, 16, 17, 4095, 4096])('carry %i bytes', async (length) => {
    const Plaintext = Buffer.alloc(length, 'x');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: keyId, Plaintext }));
    expect(await open(CiphertextBlob)).toEqual(Plaintext);
  });

  it('never make the same ciphertext twice', async () => {
    const command = () => new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('same') });
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.send(command())));
    const blobs = answers.map(({ CiphertextBlob }) => Buffer.from(CiphertextBlob ?? []).toString('hex'));
    expect(new Set(blobs).size).toBe(blobs.length);
  });

  it('take an empty context for none', async () => {
    const Plaintext = Buffer.from('data');
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: keyId, Plaintext, EncryptionContext: {} }),
    );
    expect(await open(CiphertextBlob)).toEqual(Plaintext);
  });
});

describe('data keys', () => {
  it.each([
    [{ KeySpec: 'AES_128' }, 16],
    [{ KeySpec: 'AES_256' }, 32],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ] as const)('of %j come with their ciphertext, or as ciphertext alone', async (size, length) => {
    const input = { KeyId: keyId, ...size, EncryptionContext: CONTEXT };
    const dataKey = await client.send(new GenerateDataKeyCommand(input));
    expect(dataKey).toEqual({
      $metadata: ok,
      KeyId: keyArn,
      CiphertextBlob: expect.any(Uint8Array),
      Plaintext: expect.any(Uint8Array),
      KeyMaterialId: materialId,
    });
    expect(dataKey.Plaintext).toHaveLength(length);
    expect(await open(dataKey.CiphertextBlob, CONTEXT)).toEqual(Buffer.from(dataKey.Plaintext ?? []));

    const wrapped = await client.send(new GenerateDataKeyWithoutPlaintextCommand(input));
    expect(wrapped).toEqual({
      $metadata: ok,
      KeyId: keyArn,
      CiphertextBlob: expect.any(Uint8Array),
      KeyMaterialId: materialId,
    });
    expect(await open(wrapped.CiphertextBlob, CONTEXT)).toHaveLength(length);
    expect(await exceptionOf(open(wrapped.CiphertextBlob))).toBe('InvalidCiphertextException');
  });

  it.each([{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }] as const)('are refused for %j', async (size) => {
    for (const command of [
      new GenerateDataKeyCommand({ KeyId: keyId, ...size }),
      new GenerateDataKeyWithoutPlaintextCommand({ KeyId: keyId, ...size }),
    ]) {
      const refusal = await refusalOf(client.send(command as GenerateDataKeyCommand));
      expect(refusal).toMatchObject({ name: 'ValidationException', status: 400 });
    }
  });
});

describe('GenerateRandom', () => {
  it.each([1, 1024])('gives %i bytes', async (NumberOfBytes) => {
    const answer = await client.send(new GenerateRandomCommand({ NumberOfBytes }));
    expect(answer).toEqual({ $metadata: ok, Plaintext: expect.any(Uint8Array) });
    expect(answer.Plaintext).toHaveLength(NumberOfBytes);
  });

  it('gives other bytes every time', async () => {
    const random = () => client.send(new GenerateRandomCommand({ NumberOfBytes: 32 }));
    const answers = await Promise.all(Array.from({ length: 20 }, random));
    expect(new Set(answers.map(({ Plaintext }) => String(Plaintext))).size).toBe(20);
  });
});

/** Every operation that uses a key, with an input that it would do. */
function cryptoOperations(KeyId: string, CiphertextBlob: Uint8Array | undefined) {
  type Options = { DryRun?: boolean; GrantTokens?: string[] };
  const pair = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
  const dataKey = { KeyId, KeySpec: 'AES_256' } as const;
  const Plaintext = Buffer.from('data');
  return {
    Encrypt: (options: Options) => client.send(new EncryptCommand({ KeyId, Plaintext, ...options })),
    Decrypt: (options: Options) => client.send(new DecryptCommand({ KeyId, CiphertextBlob, ...options })),
    GenerateDataKey: (options: Options) =>
      client.send(new GenerateDataKeyCommand({ ...dataKey, ...options })),
    GenerateDataKeyWithoutPlaintext: (options: Options) =>
      client.send(new GenerateDataKeyWithoutPlaintextCommand({ ...dataKey, ...options })),
    GenerateDataKeyPair: (options: Options) =>
      client.send(new GenerateDataKeyPairCommand({ ...pair, ...options })),
    GenerateDataKeyPairWithoutPlaintext: (options: Options) =>
      client.send(new GenerateDataKeyPairWithoutPlaintextCommand({ ...pair, ...options })),
  };
}

describe.each([
  'Encrypt',
  'Decrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
] as const)('%s', (name) => {
  let blob: Uint8Array | undefined;
  beforeAll(async () => {
    const Plaintext = Buffer.from('data');
    blob = (await client.send(new EncryptCommand({ KeyId: keyId, Plaintext }))).CiphertextBlob;
  });

  it('with DryRun says that it would have worked, and asks nothing of the token', async () => {
    site.shim.clearLog();
    expect(await refusalOf(cryptoOperations(keyId, blob)[name]({ DryRun: true }))).toMatchObject({
      name: 'DryRunOperationException',
      status: 400,
    });
    expect(site.shim.log()).toEqual([]);
  });

  it('with DryRun says what is wrong, where something is', async () => {
    expect(await exceptionOf(cryptoOperations(NO_KEY, blob)[name]({ DryRun: true }))).toBe(
      'NotFoundException',
    );
  });

  it('takes DryRun false and grant tokens', async () => {
    const GranteePrincipal = 'arn:aws:iam::111122223333:user/alice';
    const grant = new CreateGrantCommand({ KeyId: keyId, GranteePrincipal, Operations: ['Encrypt'] });
    const { GrantToken = '' } = await client.send(grant);
    const options = { DryRun: false, GrantTokens: [GrantToken, GrantToken] };
    expect(await cryptoOperations(keyId, blob)[name](options)).toMatchObject({ $metadata: ok });
  });

  it('refuses grant tokens of no grant', async () => {
    const call = cryptoOperations(keyId, blob)[name]({ GrantTokens: ['token'] });
    expect(await refusalOf(call)).toMatchObject({ name: 'InvalidGrantTokenException', status: 400 });
  });

  it('refuses grant tokens that are too many or too short', async () => {
    for (const GrantTokens of [Array(11).fill('token'), ['']]) {
      expect(await exceptionOf(cryptoOperations(keyId, blob)[name]({ GrantTokens }))).toBe(
        'ValidationException',
      );
    }
  });
});
