import {
  DecryptCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { type AlibabaClient, alibabaClient, alibabaRefusalOf } from '../support/alibaba-client';
import { createClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

// One service with both settings, because neither touches what the other is about.

let aws: KMSClient;
let client: AlibabaClient;
let KeyId: string;

beforeAll(async () => {
  const site = createSite();
  const server = await startServer(site, {
    P11KMS_PRIVATE_KEY_EXPORT: 'never',
    P11KMS_ALIBABA_KEY_PAIR_CONCURRENCY: '1',
  });
  aws = kmsClient(server);
  client = alibabaClient({ url: server.url, ...(await createClientKey(site, 'root')) });
  KeyId = await createKey(aws);
});

describe('where no private key may leave', () => {
  const pair = (KeyPairSpec = 'EC_P256') => ({ KeyId, KeyPairSpec, KeyFormat: 'PEM' });

  it.each(['GenerateDataKeyPair', 'AdvanceGenerateDataKeyPair'] as const)(
    '%s is refused, and names the operations that do without',
    async (operation) => {
      const { httpStatus, ErrorCode, ErrorMessage } = await alibabaRefusalOf(client.call(operation, pair()));
      expect([httpStatus, ErrorCode]).toEqual([400, 'UnsupportedOperation']);
      for (const name of ['GenerateDataKeyPair', 'AdvanceGenerateDataKeyPair']) {
        expect(ErrorMessage).toMatch(new RegExp(`\\b${name}WithoutPlaintext\\b`));
      }
    },
  );

  it.each(['GenerateDataKeyPairWithoutPlaintext', 'AdvanceGenerateDataKeyPairWithoutPlaintext'] as const)(
    '%s makes a pair, whose private key opens nowhere',
    async (operation) => {
      const {
        PublicKey,
        PrivateKeyCiphertextBlob: CiphertextBlob,
        Iv,
      } = await client.call(operation, pair());
      expect(PublicKey.toString('latin1')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
      for (const opening of ['Decrypt', 'AdvanceDecrypt'] as const) {
        const fields = { CiphertextBlob, KeyId, Algorithm: 'AES_GCM', Iv };
        const { httpStatus, ErrorCode } = await alibabaRefusalOf(client.call(opening, fields));
        expect([opening, httpStatus, ErrorCode]).toEqual([opening, 400, 'UnsupportedOperation']);
      }
      const byTrent = aws.send(new DecryptCommand({ CiphertextBlob }));
      expect(await exceptionOf(byTrent)).toBe('UnsupportedOperationException');
    },
  );

  it('data and data keys open as ever', async () => {
    const { CiphertextBlob, Plaintext } = await client.call('GenerateDataKey', { KeyId, NumberOfBytes: 32 });
    expect((await client.call('Decrypt', { KeyId, CiphertextBlob })).Plaintext).toEqual(Plaintext);
  });
});

describe('with one key pair at a time', () => {
  const NAMES = [
    'GenerateDataKeyPairWithoutPlaintext',
    'AdvanceGenerateDataKeyPairWithoutPlaintext',
  ] as const;
  const generate = (name: (typeof NAMES)[number], KeyPairSpec: string) =>
    client.call(name, { KeyId, KeyPairSpec, KeyFormat: 'DER' });

  it('refuses others while one is made, whichever operation makes them', async () => {
    const calls = [...NAMES, ...NAMES].map((name) => generate(name, 'RSA_3072'));
    const ends = await Promise.all(
      calls.map((call) =>
        call.then(
          () => 'made',
          () => alibabaRefusalOf(call),
        ),
      ),
    );
    const refusals = ends.filter((end) => end !== 'made');
    expect(ends).toContain('made');
    expect(refusals.length).toBeGreaterThan(0);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        httpStatus: 429,
        StatusCode: 429,
        ErrorCode: 'Rejected.Throttling',
        ErrorMessage: 'Concurrency Limit Exceeded.',
        RequestId: expect.stringMatching(/./),
      });
    }
  });

  it('makes the next one when that one is made, or has failed', async () => {
    for (const name of NAMES) {
      await expect(generate(name, 'EC_P256')).resolves.toMatchObject({ KeyPairSpec: 'EC_P256' });
      expect(await alibabaRefusalOf(generate(name, 'EC_P521'))).toMatchObject({ httpStatus: 400 });
      await expect(generate(name, 'EC_P256')).resolves.toMatchObject({ KeyPairSpec: 'EC_P256' });
    }
  });

  it("refuses nothing else meanwhile, nor TrentService's key pairs", async () => {
    const pair = { KeyId, KeyPairSpec: 'RSA_2048' } as const;
    const fields = { KeyId, Plaintext: Buffer.from('data') };
    await Promise.all([
      generate('GenerateDataKeyPairWithoutPlaintext', 'RSA_3072'),
      ...Array.from({ length: 8 }, () => client.call('AdvanceEncrypt', fields)),
      ...Array.from({ length: 8 }, () => client.call('GenerateDataKey', { KeyId, NumberOfBytes: 32 })),
      ...Array.from({ length: 2 }, () => aws.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair))),
    ]);
  });
});
