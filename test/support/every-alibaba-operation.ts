import { sign } from 'node:crypto';
import { type AlibabaAnswer, type AlibabaRequest, alibabaClient } from './alibaba-client';
import { decode, encode, type Fields } from './alibaba-messages';
import type { ClientKey } from './client-keys';
import { workersReady } from './metrics';
import type { Shim } from './pkcs11-shim';
import type { Server } from './server';

const PLAINTEXT = Buffer.from('another plaintext that nobody but its owner should ever get to see');
const TEXT = PLAINTEXT.toString('base64');
const AAD = Buffer.from('additional data that authenticates, and is nobody else’s matter');
const PAIRS = [
  { KeyPairSpec: 'RSA_2048', KeyFormat: 'DER' },
  { KeyPairSpec: 'EC_P256', KeyFormat: 'PEM' },
];

/** What it is done to, and with. */
export interface AlibabaScene {
  /** Hands out private keys on request. */
  readonly server: Server;
  readonly shim: Shim;
  readonly key: ClientKey;
  readonly keyId: string;
  /** Where what must not be found anywhere goes, by what it is. */
  readonly secrets: Map<string, Buffer>;
}

/** Calls every operation of Alibaba's API, so that it succeeds and so that it fails, and keeps what was secret in it. */
export class EveryAlibabaOperation {
  private readonly client;

  constructor(private readonly scene: AlibabaScene) {
    this.client = alibabaClient({ url: scene.server.url, ...scene.key });
    scene.secrets.set('plaintext (Alibaba)', PLAINTEXT).set('Aad', AAD);
  }

  async run(): Promise<void> {
    const der = this.scene.key.privateKey.export({ format: 'der', type: 'pkcs8' });
    this.keep('client key', der);
    await this.data();
    await this.pairs();
    await this.refusals();
    await this.strangers();
    await this.tokenFailures();
  }

  private keep(what: string, value: unknown): Buffer {
    if (!Buffer.isBuffer(value) || value.length === 0) throw new Error(`no ${what}`);
    const bytes = Buffer.from(value);
    this.scene.secrets.set(`${what} (Alibaba, ${this.scene.secrets.size})`, bytes);
    return bytes;
  }

  private send(request: AlibabaRequest): Promise<AlibabaAnswer> {
    const signing = (text: string) =>
      this.keep('signature', sign('sha256', Buffer.from(text), this.scene.key.privateKey));
    return this.client.send({ sign: signing, ...request });
  }

  private request(name: string, fields: Fields): Promise<AlibabaAnswer> {
    return this.send({ name, body: encode(`${name}Request`, fields) });
  }

  private async call(name: string, fields: Fields): Promise<Record<string, unknown>> {
    const { httpStatus, body } = await this.request(name, fields);
    if (httpStatus !== 200) throw new Error(`${name} was answered with ${httpStatus}`);
    return decode(`${name}Response`, body);
  }

  private async refused(answer: Promise<AlibabaAnswer>): Promise<void> {
    const { httpStatus, body } = await answer;
    if (httpStatus === 200) throw new Error('not refused');
    // What a client is told is no place for it either.
    this.scene.secrets.forEach((secret, what) => {
      if (body.includes(secret)) throw new Error(`the refusal has the ${what}`);
    });
  }

  private async data(): Promise<void> {
    const { keyId: KeyId } = this.scene;
    const bound = { KeyId, Aad: AAD };
    for (const prefix of ['', 'Advance']) {
      const encrypted = await this.call(`${prefix}Encrypt`, { ...bound, Plaintext: PLAINTEXT });
      const CiphertextBlob = this.keep('ciphertext', encrypted.CiphertextBlob);
      await this.call(`${prefix}Decrypt`, { ...bound, CiphertextBlob });
      const dataKey = await this.call(`${prefix}GenerateDataKey`, { ...bound, NumberOfBytes: 64 });
      this.keep('data key', dataKey.Plaintext);
      const wrapped = this.keep('data key ciphertext', dataKey.CiphertextBlob);
      await this.call(`${prefix}Decrypt`, { ...bound, CiphertextBlob: wrapped });
    }
    this.keep('random bytes', (await this.call('GenerateRandom', { Length: 64 })).Random);
  }

  private async pairs(): Promise<void> {
    const { keyId: KeyId } = this.scene;
    for (const prefix of ['', 'Advance']) {
      for (const some of PAIRS) {
        const wanted = { KeyId, Aad: AAD, ...some };
        const pair = await this.call(`${prefix}GenerateDataKeyPair`, wanted);
        this.keep('private key', pair.PrivateKeyPlaintext);
        this.keep('wrapped private key', pair.PrivateKeyCiphertextBlob);
        const wrapped = await this.call(`${prefix}GenerateDataKeyPairWithoutPlaintext`, wanted);
        const CiphertextBlob = this.keep('wrapped private key', wrapped.PrivateKeyCiphertextBlob);
        const opened = await this.call(`${prefix}Decrypt`, { KeyId, Aad: AAD, CiphertextBlob });
        this.keep('private key', opened.Plaintext);
      }
    }
  }

  /** Requests that fail because of what is in them. */
  private async refusals(): Promise<void> {
    const { keyId: KeyId } = this.scene;
    const encrypted = await this.call('Encrypt', { KeyId, Aad: AAD, Plaintext: PLAINTEXT });
    const CiphertextBlob = this.keep('ciphertext', encrypted.CiphertextBlob);
    for (const fields of [
      { CiphertextBlob, Aad: Buffer.concat([AAD, AAD]) },
      { CiphertextBlob: CiphertextBlob.subarray(0, -1), Aad: AAD },
      { CiphertextBlob: PLAINTEXT, Aad: AAD },
    ]) {
      await this.refused(this.request('Decrypt', { KeyId, ...fields }));
      await this.refused(this.request('AdvanceDecrypt', fields));
    }
    for (const fields of [
      { Iv: PLAINTEXT },
      { Algorithm: TEXT },
      { PaddingMode: TEXT },
      { KeyId: TEXT },
      { KeyId: `alias/${TEXT}` },
      { KeyId: `arn:aws:kms:us-east-1:111122223333:key/${TEXT}` },
    ]) {
      await this.refused(this.request('Encrypt', { KeyId, Plaintext: PLAINTEXT, ...fields }));
    }
    const pair = { KeyId, KeyPairSpec: TEXT, KeyFormat: TEXT };
    await this.refused(this.request('GenerateDataKeyPair', pair));
    for (const body of [PLAINTEXT, Buffer.from(`{"Plaintext":"${TEXT}"}`), Buffer.from(`\n\x7f${TEXT}`)]) {
      await this.refused(this.send({ name: 'Encrypt', body }));
    }
  }

  /** Requests whose headers are refused: a client may put anything there. */
  private async strangers(): Promise<void> {
    const body = encode('EncryptRequest', { KeyId: this.scene.keyId, Plaintext: PLAINTEXT });
    const name = 'Encrypt';
    const headers = ['content-type', 'content-sha256', 'date'].concat(
      ['apiversion', 'apiname', 'signaturemethod', 'acccesskeyid'].map((own) => `x-kms-${own}`),
    );
    for (const header of headers) {
      // The answer quotes some of them, as Alibaba does; the log does not.
      const { httpStatus } = await this.send({ name, body, headers: { [header]: TEXT } });
      if (httpStatus === 200) throw new Error(`not refused: ${header}`);
    }
    await this.refused(this.send({ name, body, scheme: `${TEXT} ` }));
    await this.refused(this.send({ name, body, unsigned: { 'x-kms-note': TEXT } }));
    await this.refused(this.send({ name, body, date: new Date(0) }));
  }

  /** Requests that fail because the token does: how it does is not this protocol's matter. */
  private async tokenFailures(): Promise<void> {
    const { keyId: KeyId, shim, server } = this.scene;
    const data = await this.call('AdvanceEncrypt', { KeyId, Plaintext: PLAINTEXT });
    const pair = { KeyId, KeyPairSpec: 'EC_P256', KeyFormat: 'PEM' };
    const wrapped = await this.call('AdvanceGenerateDataKeyPair', pair);
    this.keep('private key', wrapped.PrivateKeyPlaintext);
    const blobs = [data.CiphertextBlob, wrapped.PrivateKeyCiphertextBlob];
    const [ciphertext, privateKey] = blobs.map((blob) => this.keep('ciphertext', blob));
    const calls = [
      () => this.request('AdvanceEncrypt', { KeyId, Plaintext: PLAINTEXT }),
      () => this.request('AdvanceDecrypt', { CiphertextBlob: ciphertext ?? PLAINTEXT }),
      () => this.request('AdvanceDecrypt', { CiphertextBlob: privateKey ?? PLAINTEXT }),
      () => this.request('GenerateDataKeyPair', pair),
    ];
    const functions = ['C_Encrypt', 'C_Decrypt', 'C_WrapKey', 'C_UnwrapKey'];
    for (const call of calls) {
      shim.set(...functions.map((name) => `${name} fail=0x54 times=1`));
      await this.refused(call());
      shim.clear();
      await workersReady(server);
    }
    shim.set('C_Encrypt hang times=1');
    await this.refused(this.request('Encrypt', { KeyId, Plaintext: PLAINTEXT }));
    shim.clear();
  }
}
