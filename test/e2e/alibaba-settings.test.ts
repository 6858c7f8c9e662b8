import {
  DecryptCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { type AlibabaClient, alibabaClient, alibabaRefusalOf } from '../support/alibaba-client';
import { TOLD, toldBy } from '../support/alibaba-refusals';
import { insertClientKey } from '../support/client-keys';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient } from '../support/kms-client';
import { eventually, type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';

// One service with both settings, because neither touches what the other is about.

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let aws: KMSClient;
let client: AlibabaClient;
let KeyId: string;

beforeAll(async () => {
  site = await createShimSite();
  server = await startServer(site, {
    P11KMS_PRIVATE_KEY_EXPORT: 'never',
    P11KMS_ALIBABA_KEY_PAIR_CONCURRENCY: '1',
  });
  aws = kmsClient(server);
  client = alibabaClient({ url: server.url, ...insertClientKey(site, 'root') });
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

  /** `during` happens while the token makes a key pair: in a worker that ends only then, and another makes it anew. */
  async function whileOneIsMade(during: () => Promise<void>): Promise<void> {
    site.shim.clearLog();
    site.shim.set('C_GenerateKeyPair hang times=1');
    const made = generate(NAMES[0], 'EC_P256');
    const begun = () => site.shim.log().find(({ rule }) => rule === 'hang');
    const { pid } = await eventually(begun, 10_000, () => server.output());
    try {
      await during();
    } finally {
      site.shim.clear();
      process.kill(pid, 'SIGKILL');
    }
    await expect(made).resolves.toMatchObject({ KeyPairSpec: 'EC_P256' });
  }

  it('refuses others while one is made, whichever operation makes them', async () => {
    await whileOneIsMade(async () => {
      for (const name of [...NAMES, ...NAMES])
        expect(await toldBy(generate(name, 'EC_P256'))).toEqual(TOLD.throttled);
    });
  });

  it('makes the next one when that one is made, or has failed', async () => {
    for (const name of NAMES) {
      await expect(generate(name, 'EC_P256')).resolves.toMatchObject({ KeyPairSpec: 'EC_P256' });
      expect(await alibabaRefusalOf(generate(name, 'EC_P521'))).toMatchObject({ httpStatus: 400 });
      await expect(generate(name, 'EC_P256')).resolves.toMatchObject({ KeyPairSpec: 'EC_P256' });
    }
  });

  it("refuses nothing else meanwhile, nor TrentService's key pairs", async () => {
    const pair = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const fields = { KeyId, Plaintext: Buffer.from('data') };
    await whileOneIsMade(async () => {
      await client.call('AdvanceEncrypt', fields);
      await client.call('GenerateDataKey', { KeyId, NumberOfBytes: 32 });
      await aws.send(new GenerateDataKeyPairWithoutPlaintextCommand(pair));
    });
  });
});
