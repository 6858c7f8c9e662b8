import { createPrivateKey, createPublicKey } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateAliasCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  type KMSClient,
  ReEncryptCommand,
  type ReEncryptCommandInput,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { versionOf } from '../support/life-cycle';
import { workersReady } from '../support/metrics';
import { type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';

const NO_KEY = '00000000-0000-4000-8000-000000000000';
const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const BEFORE = { stage: 'before' };
const AFTER = { stage: 'after' };
const SPECS = ['ECC_NIST_P256', 'ECC_SECG_P256K1', 'RSA_2048'] as const;
const CKR_FUNCTION_NOT_SUPPORTED = 0x54;

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: KMSClient;
let sourceId: string;
let destinationId: string;
/** Data under the source key, bound to BEFORE. */
let data: Buffer;

async function start(settings: Record<string, string> = {}): Promise<void> {
  await server?.terminate();
  server = await startServer(site, {
    P11KMS_TOKEN_TIMEOUT_MS: '1000',
    P11KMS_KEY_PAIR_TIMEOUT_MS: '10000',
    ...settings,
  });
  client = kmsClient(server);
}

beforeAll(async () => {
  site = await createShimSite();
  site.shim.set('gcm-wrap');
});

async function makeKeys(): Promise<void> {
  sourceId = await createKey(client);
  destinationId = await createKey(client);
  const input = { KeyId: sourceId, Plaintext: Buffer.from('data'), EncryptionContext: BEFORE };
  data = Buffer.from((await client.send(new EncryptCommand(input))).CiphertextBlob ?? []);
}

const reEncrypt = (input: Partial<ReEncryptCommandInput> = {}) =>
  client.send(
    new ReEncryptCommand({
      CiphertextBlob: data,
      SourceEncryptionContext: BEFORE,
      DestinationKeyId: destinationId,
      DestinationEncryptionContext: AFTER,
      ...input,
    }),
  );

const decrypt = async (CiphertextBlob: Uint8Array | undefined, EncryptionContext: Record<string, string>) => {
  const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
  return Buffer.from(opened.Plaintext ?? []);
};

const generatePair = async (KeyPairSpec: (typeof SPECS)[number]) =>
  client.send(new GenerateDataKeyPairCommand({ KeyId: sourceId, KeyPairSpec, EncryptionContext: BEFORE }));

const spkiOf = (pkcs8: Buffer) =>
  createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  });

const materialOf = async (KeyId: string) =>
  (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.CurrentKeyMaterialId;

// The tests of this file follow one site from setting to setting: each goes on where the one before ended.

describe('private keys, wrapped by AES-GCM alone', () => {
  let wrapped: Buffer[];

  beforeAll(async () => {
    await start();
    await makeKeys();
    expect((await server.logged(({ message }) => message === 'p11kms is ready')).wrapping).toBe('gcm');
  });

  afterAll(() => site.shim.clear());

  it.each(SPECS)('%s: stay what they are', async (spec) => {
    const pair = await generatePair(spec);
    const moved = await reEncrypt({ CiphertextBlob: pair.PrivateKeyCiphertextBlob });
    expect(Buffer.from(moved.CiphertextBlob ?? [])[1]).toBe(3);
    expect(spkiOf(await decrypt(moved.CiphertextBlob, AFTER))).toEqual(Buffer.from(pair.PublicKey ?? []));
    wrapped = [Buffer.from(moved.CiphertextBlob ?? [])];
  });

  it('where the token makes the IV, too', async () => {
    await server.terminate();
    site.shim.set('gcm-wrap', 'own-iv');
    await start({ P11KMS_GCM_IV: 'token' });
    const moved = await reEncrypt({
      CiphertextBlob: wrapped[0],
      SourceEncryptionContext: AFTER,
      DestinationKeyId: sourceId,
    });
    const key = await decrypt(moved.CiphertextBlob, AFTER);
    expect(key).toEqual(await decrypt(wrapped[0], AFTER));
    const again = await reEncrypt();
    expect(await decrypt(again.CiphertextBlob, AFTER)).toEqual(Buffer.from('data'));
  });
});

describe('never', () => {
  let sealed: Buffer;

  beforeAll(async () => {
    await start({ P11KMS_PRIVATE_KEY_EXPORT: 'never' });
    await makeKeys();
  });

  it('what is sealed stays sealed', async () => {
    const { PrivateKeyCiphertextBlob } = await generatePair('ECC_NIST_P256');
    const moved = await reEncrypt({ CiphertextBlob: PrivateKeyCiphertextBlob });
    sealed = Buffer.from(moved.CiphertextBlob ?? []);
    expect(sealed[2]).toBe(1);
    expect(await exceptionOf(decrypt(sealed, AFTER))).toBe('UnsupportedOperationException');
  });

  it('also under a setting that lets private keys out', async () => {
    await start({ P11KMS_PRIVATE_KEY_EXPORT: 'aws' });
    const moved = await reEncrypt({ CiphertextBlob: sealed, SourceEncryptionContext: AFTER });
    const blob = Buffer.from(moved.CiphertextBlob ?? []);
    expect(blob[2]).toBe(1);
    expect(await exceptionOf(decrypt(blob, AFTER))).toBe('UnsupportedOperationException');
    const unsealed = Buffer.from(blob);
    unsealed[2] = 0;
    expect(await exceptionOf(decrypt(unsealed, AFTER))).toBe('InvalidCiphertextException');
    expect(await exceptionOf(reEncrypt({ CiphertextBlob: unsealed, SourceEncryptionContext: AFTER }))).toBe(
      'InvalidCiphertextException',
    );
  });
});

describe('ReEncrypt', () => {
  beforeAll(async () => {
    await start();
    await makeKeys();
    for (const [alias, TargetKeyId] of [
      ['alias/source', sourceId],
      ['alias/destination', destinationId],
    ]) {
      await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId }));
    }
  });

  it('moves data under another key, and says all of it', async () => {
    const { $metadata, CiphertextBlob, ...answer } = await reEncrypt();
    expect(answer).toEqual({
      SourceKeyId: `${PREFIX}:key/${sourceId}`,
      KeyId: `${PREFIX}:key/${destinationId}`,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: await materialOf(sourceId),
      DestinationKeyMaterialId: await materialOf(destinationId),
    });
    expect(await decrypt(CiphertextBlob, AFTER)).toEqual(Buffer.from('data'));
    expect(await exceptionOf(decrypt(CiphertextBlob, BEFORE))).toBe('InvalidCiphertextException');
    expect(await decrypt(data, BEFORE)).toEqual(Buffer.from('data'));
  });

  it.each([
    ['ids', () => [sourceId, destinationId]],
    ['ARNs', () => [`${PREFIX}:key/${sourceId}`, `${PREFIX}:key/${destinationId}`]],
    ['aliases', () => ['alias/source', 'alias/destination']],
    ['alias ARNs', () => [`${PREFIX}:alias/source`, `${PREFIX}:alias/destination`]],
  ] as const)('takes keys by their %s', async (_what, names) => {
    const [SourceKeyId, DestinationKeyId] = names();
    const moved = await reEncrypt({ SourceKeyId, DestinationKeyId });
    expect(moved).toMatchObject({ SourceKeyId: `${PREFIX}:key/${sourceId}` });
    expect(await decrypt(moved.CiphertextBlob, AFTER)).toEqual(Buffer.from('data'));
  });

  it('moves 4096 bytes, and what it moved', async () => {
    const Plaintext = Buffer.alloc(4096, 7);
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: sourceId, Plaintext, EncryptionContext: BEFORE }),
    );
    const there = await reEncrypt({ CiphertextBlob });
    const back = await reEncrypt({
      CiphertextBlob: there.CiphertextBlob,
      SourceEncryptionContext: AFTER,
      DestinationKeyId: sourceId,
      DestinationEncryptionContext: {},
    });
    expect(await decrypt(back.CiphertextBlob, {})).toEqual(Plaintext);
  });

  it.each(SPECS)('moves a private key of %s to the newest version of its own key', async (spec) => {
    const pair = await generatePair(spec);
    const before = versionOf(Buffer.from(pair.PrivateKeyCiphertextBlob ?? []));
    await client.send(new RotateKeyOnDemandCommand({ KeyId: sourceId }));
    const moved = await reEncrypt({
      CiphertextBlob: pair.PrivateKeyCiphertextBlob,
      DestinationKeyId: sourceId,
    });
    const blob = Buffer.from(moved.CiphertextBlob ?? []);
    expect(versionOf(blob)).toBe(before + 1);
    // The header but for the version is as it was.
    const original = Buffer.from(pair.PrivateKeyCiphertextBlob ?? []);
    expect(blob.subarray(0, 20)).toEqual(original.subarray(0, 20));
    expect(moved.SourceKeyMaterialId).not.toBe(moved.DestinationKeyMaterialId);
    expect(spkiOf(await decrypt(blob, AFTER))).toEqual(Buffer.from(pair.PublicKey ?? []));
    expect(await decrypt(original, BEFORE)).toEqual(await decrypt(blob, AFTER));
  });

  it('opens nothing of what the token does not do any more', async () => {
    expect((await server.logged(({ message }) => message === 'p11kms is ready')).wrapping).toBe('kwp+gcm');
    const { PrivateKeyCiphertextBlob } = await generatePair('ECC_NIST_P256');
    const forged = Buffer.from(PrivateKeyCiphertextBlob ?? []);
    forged[1] = 3;
    expect(await exceptionOf(reEncrypt({ CiphertextBlob: forged }))).toBe('InvalidCiphertextException');
  });

  const flipped = (at: number) => {
    const copy = Buffer.from(data);
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return copy;
  };
  const disabled = async () => {
    const id = await createKey(client);
    await client.send(new DisableKeyCommand({ KeyId: id }));
    return id;
  };
  const pending = async () => {
    const id = await createKey(client);
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }));
    return id;
  };
  const dry = { DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] as 'IGNORE_CIPHERTEXT'[] };

  it.each<[string, string, () => Promise<Partial<ReEncryptCommandInput>>]>([
    ['another context', 'InvalidCiphertextException', async () => ({ SourceEncryptionContext: AFTER })],
    ['no context', 'InvalidCiphertextException', async () => ({ SourceEncryptionContext: undefined })],
    ['a flipped bit', 'InvalidCiphertextException', async () => ({ CiphertextBlob: flipped(50) })],
    ['another format', 'InvalidCiphertextException', async () => ({ CiphertextBlob: flipped(0) })],
    ['another version', 'InvalidCiphertextException', async () => ({ CiphertextBlob: flipped(20) })],
    ['no ciphertext at all', 'ValidationException', async () => ({ CiphertextBlob: undefined })],
    ['a ciphertext of no key', 'AccessDeniedException', async () => ({ CiphertextBlob: flipped(5) })],
    ['another source key', 'IncorrectKeyException', async () => ({ SourceKeyId: destinationId })],
    ['an unknown source key', 'NotFoundException', async () => ({ SourceKeyId: NO_KEY })],
    ['an unknown source alias', 'NotFoundException', async () => ({ SourceKeyId: 'alias/nobody' })],
    ['an unknown destination', 'NotFoundException', async () => ({ DestinationKeyId: NO_KEY })],
    ['no destination', 'ValidationException', async () => ({ DestinationKeyId: undefined })],
    ['a disabled destination', 'DisabledException', async () => ({ DestinationKeyId: await disabled() })],
    ['a doomed destination', 'KMSInvalidStateException', async () => ({ DestinationKeyId: await pending() })],
    [
      'an algorithm of asymmetric keys',
      'InvalidKeyUsageException',
      async () => ({ DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
    ],
    ['a dry run', 'DryRunOperationException', async () => ({ DryRun: true })],
    [
      'a dry run with a bad ciphertext',
      'InvalidCiphertextException',
      async () => ({ DryRun: true, CiphertextBlob: flipped(0) }),
    ],
    [
      'a dry run without a ciphertext',
      'DryRunOperationException',
      async () => ({ ...dry, CiphertextBlob: undefined, SourceKeyId: sourceId }),
    ],
    [
      'a dry run that ignores a bad ciphertext',
      'DryRunOperationException',
      async () => ({ ...dry, CiphertextBlob: flipped(0), SourceKeyId: 'alias/source' }),
    ],
    [
      'a dry run without ciphertext and source key',
      'ValidationException',
      async () => ({ ...dry, CiphertextBlob: undefined }),
    ],
    [
      'a dry run to a disabled key',
      'DisabledException',
      async () => ({ ...dry, SourceKeyId: sourceId, DestinationKeyId: await disabled() }),
    ],
    [
      'a dry run from a doomed key',
      'KMSInvalidStateException',
      async () => ({ ...dry, SourceKeyId: await pending() }),
    ],
    [
      'a modifier without a dry run, and no ciphertext',
      'ValidationException',
      async () => ({ ...dry, DryRun: false, CiphertextBlob: undefined, SourceKeyId: sourceId }),
    ],
  ])('%s: %s', async (_what, name, change) => {
    expect(await refusalOf(reEncrypt(await change()))).toMatchObject({ name, status: 400 });
  });

  it('from a key that is disabled: DisabledException; pending deletion: KMSInvalidStateException', async () => {
    const id = await createKey(client);
    const input = { KeyId: id, Plaintext: Buffer.from('data'), EncryptionContext: BEFORE };
    const { CiphertextBlob } = await client.send(new EncryptCommand(input));
    await client.send(new DisableKeyCommand({ KeyId: id }));
    expect(await exceptionOf(reEncrypt({ CiphertextBlob }))).toBe('DisabledException');
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }));
    expect(await exceptionOf(reEncrypt({ CiphertextBlob }))).toBe('KMSInvalidStateException');
  });

  it.each([
    ['KMSInternalException', `C_Encrypt fail=${CKR_FUNCTION_NOT_SUPPORTED} times=1`],
    ['DependencyTimeoutException', 'C_Encrypt hang times=1'],
  ])('%s where the token does that', async (name, rule) => {
    site.shim.set(rule);
    expect(await refusalOf(reEncrypt())).toMatchObject({ name, status: 500 });
    site.shim.clear();
    await workersReady(server);
    expect(await decrypt((await reEncrypt()).CiphertextBlob, AFTER)).toEqual(Buffer.from('data'));
  });

  it('KeyUnavailableException where the token is away', async () => {
    // SoftHSM's tokens are directories.
    const [here, away] = ['tokens', 'elsewhere'].map((name) => join(site.token.directory, name));
    renameSync(String(here), String(away));
    try {
      expect(await refusalOf(reEncrypt())).toMatchObject({ name: 'KeyUnavailableException', status: 500 });
    } finally {
      renameSync(String(away), String(here));
    }
    await workersReady(server);
  });
});
