import {
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  type KMSClient,
  ListAliasesCommand,
  ListGrantsCommand,
  ListKeyPoliciesCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  ListRetirableGrantsCommand,
  PutKeyPolicyCommand,
  RetireGrantCommand,
  RevokeGrantCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateKeyDescriptionCommand,
} from '@aws-sdk/client-kms';
import { get, kmsClient, refusalOf, send, sendRaw, sign } from './kms-client';
import { workersReady } from './metrics';
import type { Shim } from './pkcs11-shim';
import type { Server } from './server';

const PLAINTEXT = Buffer.from('a plaintext that nobody but its owner should ever get to see');
const CONTEXT_KEY = 'context-key-to-look-for';
const CONTEXT_VALUE = 'context-value-to-look-for';
const CONTEXT: Record<string, string> = { [CONTEXT_KEY]: CONTEXT_VALUE };
const WRONG_TOKEN = 'grant-token-to-look-for';
const PRINCIPAL = 'arn:aws:iam::111122223333:user/logged';
const PAIR_SPECS = ['RSA_2048', 'ECC_NIST_P256'] as const;

/** Calls every operation of a server, so that it succeeds and so that it fails, and keeps what was secret in it. */
export class EveryOperation {
  /** What must not be found anywhere, by what it is. */
  readonly secrets = new Map<string, Buffer>([
    ['plaintext', PLAINTEXT],
    ['context key', Buffer.from(CONTEXT_KEY)],
    ['context value', Buffer.from(CONTEXT_VALUE)],
    ['wrong grant token', Buffer.from(WRONG_TOKEN)],
  ]);
  /** The key that all of it was done with. */
  keyId = '';
  private readonly client: KMSClient;
  private readonly bound = { EncryptionContext: CONTEXT, GrantTokens: [] as string[] };

  /** @param server hands out private keys as AWS does */
  constructor(
    private readonly server: Server,
    private readonly shim: Shim,
  ) {
    this.client = kmsClient(server);
    this.secrets.set('secret access key', Buffer.from(server.credentials.secretAccessKey));
    this.client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> };
        this.keepSignature(headers.authorization);
        return next(args);
      },
      // After the one that signs.
      { step: 'finalizeRequest', priority: 'low' },
    );
  }

  async run(): Promise<void> {
    const { KeyMetadata } = await this.client.send(new CreateKeyCommand({ Description: 'described' }));
    this.keyId = String(KeyMetadata?.KeyId);
    await this.grants();
    await this.tagsAndPolicies();
    await this.keysAndAliases();
    await this.data();
    await this.pairs();
    await this.refusals();
    await this.strangers();
    await this.tokenFailures();
  }

  private keep(what: string, value: Uint8Array | undefined): Buffer {
    const bytes = Buffer.from(value ?? []);
    expect(bytes.length).toBeGreaterThan(0);
    this.secrets.set(`${what} (${this.secrets.size})`, bytes);
    return bytes;
  }

  private keepSignature(authorization = ''): void {
    const signature = /Signature=([0-9a-f]{64})$/.exec(authorization)?.[1] ?? '';
    this.keep('signature', Buffer.from(signature, 'hex'));
  }

  private encrypt() {
    return this.client.send(new EncryptCommand({ KeyId: this.keyId, Plaintext: PLAINTEXT, ...this.bound }));
  }

  private decrypt(CiphertextBlob: Uint8Array | undefined, EncryptionContext = CONTEXT) {
    return this.client.send(new DecryptCommand({ ...this.bound, CiphertextBlob, EncryptionContext }));
  }

  private generatePair(KeyPairSpec: (typeof PAIR_SPECS)[number] = 'ECC_NIST_P256') {
    return this.client.send(
      new GenerateDataKeyPairCommand({ KeyId: this.keyId, KeyPairSpec, ...this.bound }),
    );
  }

  /** Leaves a grant, whose token all that follows is done with. */
  private async grants(): Promise<void> {
    const { client, keyId: KeyId } = this;
    const create = async () => {
      const command = new CreateGrantCommand({
        KeyId,
        GranteePrincipal: PRINCIPAL,
        RetiringPrincipal: PRINCIPAL,
        Operations: ['Encrypt'],
        // The store keeps it, as AWS does.
        Constraints: { EncryptionContextSubset: { kept: 'in the open' } },
      });
      const { GrantId = '', GrantToken = '' } = await client.send(command);
      this.keep('grant token', Buffer.from(GrantToken));
      return { GrantId, GrantToken };
    };
    const [first, second, third] = [await create(), await create(), await create()];
    await client.send(new ListGrantsCommand({ KeyId }));
    await client.send(new ListRetirableGrantsCommand({ RetiringPrincipal: PRINCIPAL }));
    await client.send(new RevokeGrantCommand({ KeyId, GrantId: first.GrantId }));
    await client.send(new RetireGrantCommand({ GrantToken: second.GrantToken }));
    for (const GrantToken of [second.GrantToken, WRONG_TOKEN]) {
      await refusalOf(client.send(new RetireGrantCommand({ GrantToken })));
      await refusalOf(client.send(new DescribeKeyCommand({ KeyId, GrantTokens: [GrantToken] })));
    }
    this.bound.GrantTokens.push(third.GrantToken);
  }

  private async tagsAndPolicies(): Promise<void> {
    const { client, keyId: KeyId } = this;
    await client.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'logged', TagValue: 'yes' }] }));
    await client.send(new ListResourceTagsCommand({ KeyId }));
    await client.send(new UntagResourceCommand({ KeyId, TagKeys: ['logged'] }));
    const { Policy } = await client.send(new GetKeyPolicyCommand({ KeyId }));
    await client.send(new PutKeyPolicyCommand({ KeyId, Policy }));
    await client.send(new ListKeyPoliciesCommand({ KeyId }));
  }

  private async keysAndAliases(): Promise<void> {
    const { client, keyId: KeyId } = this;
    await client.send(new DescribeKeyCommand({ KeyId }));
    await client.send(new CreateAliasCommand({ AliasName: 'alias/logged', TargetKeyId: KeyId }));
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/logged', TargetKeyId: KeyId }));
    await client.send(new ListAliasesCommand({}));
    await client.send(new ListKeysCommand({}));
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/logged' }));
    await client.send(new UpdateKeyDescriptionCommand({ KeyId, Description: 'described again' }));
    await client.send(new DisableKeyCommand({ KeyId }));
    await refusalOf(this.encrypt());
    await client.send(new EnableKeyCommand({ KeyId }));
  }

  private async data(): Promise<void> {
    const { CiphertextBlob } = await this.encrypt();
    await this.decrypt(this.keep('ciphertext', CiphertextBlob));
    const input = { KeyId: this.keyId, NumberOfBytes: 64, ...this.bound };
    const dataKey = await this.client.send(new GenerateDataKeyCommand(input));
    this.keep('data key', dataKey.Plaintext);
    await this.decrypt(this.keep('data key ciphertext', dataKey.CiphertextBlob));
    const wrapped = await this.client.send(new GenerateDataKeyWithoutPlaintextCommand(input));
    await this.decrypt(this.keep('data key ciphertext', wrapped.CiphertextBlob));
    const random = await this.client.send(new GenerateRandomCommand({ NumberOfBytes: 64 }));
    this.keep('random bytes', random.Plaintext);
  }

  private async pairs(): Promise<void> {
    for (const spec of PAIR_SPECS) {
      const pair = await this.generatePair(spec);
      this.keep('private key', pair.PrivateKeyPlaintext);
      await this.decrypt(this.keep('wrapped private key', pair.PrivateKeyCiphertextBlob));
      const input = { KeyId: this.keyId, KeyPairSpec: spec, ...this.bound };
      const wrapped = await this.client.send(new GenerateDataKeyPairWithoutPlaintextCommand(input));
      const opened = await this.decrypt(this.keep('wrapped private key', wrapped.PrivateKeyCiphertextBlob));
      this.keep('private key', opened.Plaintext);
    }
  }

  /** Requests that fail because of what is in them. */
  private async refusals(): Promise<void> {
    const { server, keyId } = this;
    const data = this.keep('ciphertext', (await this.encrypt()).CiphertextBlob);
    const pair = this.keep('wrapped private key', (await this.generatePair()).PrivateKeyCiphertextBlob);
    for (const blob of [data, pair]) {
      await refusalOf(this.decrypt(blob, { ...CONTEXT, more: 'x' }));
      await refusalOf(this.decrypt(blob.subarray(0, -1)));
      await refusalOf(this.decrypt(Buffer.concat([Buffer.of(9), blob])));
    }
    const plaintext = PLAINTEXT.toString('base64');
    const bodies = [
      `{"KeyId":"${keyId}","Plaintext":"${plaintext}","DryRun":7}`,
      `{"KeyId":"${keyId}","Plaintext":"${plaintext}!"}`,
      `{"KeyId":"${keyId}","Plaintext":"${plaintext.repeat(100)}"}`,
      `{"KeyId":"${keyId}","Plaintext":"${plaintext}"`,
      `{"KeyId":"no such key","Plaintext":"${plaintext}"}`,
      `{"KeyId":"${plaintext}"}`,
      `["${plaintext}"]`,
    ];
    for (const body of bodies) expect((await sendRaw(server, 'Encrypt', body)).status).toBe(400);
    await sendRaw(server, 'Encrypt', plaintext, { target: `TrentService.${plaintext}` });
    const contentType = `text/${plaintext.slice(0, 60).replaceAll('/', '')}`;
    await sendRaw(server, 'Encrypt', '{}', { contentType });
    await get(server, `/${encodeURIComponent(plaintext)}`);
  }

  /** Requests whose signatures are refused. */
  private async strangers(): Promise<void> {
    const { url, credentials } = this.server;
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'TrentService.ListKeys',
    };
    const signed = await sign(url, credentials, headers, '{}');
    const { authorization = '' } = signed;
    this.keepSignature(authorization);
    const nobody = { ...credentials, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' };
    const { authorization: unknown = '' } = await sign(url, nobody, headers, '{}');
    this.keepSignature(unknown);
    const half = authorization.replace('SignedHeaders=', '');
    const swapped = authorization.replace(credentials.accessKeyId, credentials.secretAccessKey);
    for (const other of [unknown, half, swapped, credentials.secretAccessKey]) {
      expect((await send(this.server, { ...signed, authorization: other }, '{}')).status).toBe(400);
    }
    expect((await send(this.server, signed, '{ }')).status).toBe(400);
  }

  /** Requests that fail because the token does, in every way that leaves a trace in the log. */
  private async tokenFailures(): Promise<void> {
    const data = this.keep('ciphertext', (await this.encrypt()).CiphertextBlob);
    const pair = this.keep('wrapped private key', (await this.generatePair()).PrivateKeyCiphertextBlob);
    const calls = [
      () => this.encrypt(),
      () => this.decrypt(data),
      () => this.decrypt(pair),
      () => this.generatePair(),
    ];
    const functions = ['C_Encrypt', 'C_Decrypt', 'C_WrapKey', 'C_UnwrapKey'];
    for (const how of ['fail=0x54', 'fail-after=0x54', 'fail=0xE0', 'abort']) {
      for (const call of calls) {
        this.shim.set(...functions.map((name) => `${name} ${how} times=1`));
        await call().catch(() => undefined);
        this.shim.clear();
        await workersReady(this.server);
      }
    }
    this.shim.set('C_Encrypt hang times=1');
    expect((await refusalOf(this.encrypt())).name).toBe('DependencyTimeoutException');
    this.shim.clear();
  }
}
