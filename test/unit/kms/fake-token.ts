import { createCipheriv, createDecipheriv, createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { KmsError } from '../../../src/errors';
import type { JobInput, JobName, JobOutput, Jobs } from '../../../src/hsm/jobs';
import { KEY_PAIR_SPECS, type KeyPairSpec, keyPairSpec } from '../../../src/hsm/key-pair-specs';
import type { Caller, Token, UsableTokenReport } from '../../../src/hsm/token';

/** What every job of the fake says it took. */
export const JOB_MS = 3;

const REPORT: UsableTokenReport = {
  module: { description: 'fake', manufacturer: 'p11kms', version: '1.0' },
  token: { label: 'fake', serial: '1', model: 'fake', manufacturer: 'p11kms', firmware: '1.0' },
  mechanisms: [],
  specs: [...KEY_PAIR_SPECS.values()].map(({ name }) => ({ name, works: true })),
  dialect: { wrapping: 'kwp+gcm', kwpMechanism: 0x210a, ecUnwrapTakesPoint: false },
  canExport: true,
  missing: [],
  limits: {},
  warnings: [],
};

const doesNotSign = () => {
  throw new Error('the domain has nothing signed');
};

type Handlers = { readonly [N in JobName]: (input: JobInput<N>) => JobOutput<N> };

/**
 * A token for tests of the domain: AES-GCM by node:crypto, under keys that follow from the objects' ids. It
 * says what it was asked, knows which objects exist, and fails where it is told to.
 */
export class FakeToken implements Token {
  readonly report: UsableTokenReport;
  readonly jobs: { readonly name: JobName; readonly input: Jobs[JobName]['input'] }[] = [];
  /** Labels by id. */
  readonly objects = new Map<string, string>();
  /** Whether jobs may be done again, as the last caller answers it. */
  mayRepeat: () => boolean = () => true;
  readonly #failures = new Map<JobName, Error>();

  constructor(report: Partial<UsableTokenReport> = {}) {
    this.report = { ...REPORT, ...report };
  }

  get jobNames(): JobName[] {
    return this.jobs.map(({ name }) => name);
  }

  failAt(name: JobName, error: Error): void {
    this.#failures.set(name, error);
  }

  work(): void {
    this.#failures.clear();
  }

  async run<N extends JobName>(
    name: N,
    input: JobInput<N>,
    caller?: Caller,
    mayRepeat: () => boolean = () => true,
  ): Promise<JobOutput<N>> {
    this.jobs.push({ name, input });
    this.mayRepeat = mayRepeat;
    const failure = this.#failures.get(name);
    if (failure) throw failure;
    const output = this.#handlers[name](input);
    if (caller) caller.tokenMs += JOB_MS;
    return output;
  }

  async ping(): Promise<void> {
    await this.run('ping', {});
  }

  stats(): ReturnType<Token['stats']> {
    return { lanes: [] };
  }

  async endJobs(): Promise<void> {}

  async close(): Promise<void> {}

  #seal(objects: readonly string[], aad: Buffer, plaintext: Buffer): { iv: Buffer; sealed: Buffer } {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key(objects), iv).setAAD(aad);
    return { iv, sealed: Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]) };
  }

  #open(objects: readonly string[], aad: Buffer, iv: Buffer, sealed: Buffer): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#key(objects), iv).setAAD(aad);
    decipher.setAuthTag(sealed.subarray(-16));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    } catch {
      throw new KmsError('INVALID_CIPHERTEXT', 'The ciphertext or its encryption context is not valid.');
    }
  }

  #key(objects: readonly string[]): Buffer {
    for (const id of objects) if (!this.objects.has(id)) throw new Error(`no object ${id} on the token`);
    return createHash('sha256').update(objects.join()).digest();
  }

  readonly #handlers: Handlers = {
    generateKeyPair: ({ spec, encryptObject, wrapObject, aadBeforePoint, aadAfterPoint }) => {
      const { publicKey, privateKey, point } = keyPair(keyPairSpec(spec));
      const pointLength = Buffer.from([point.length >> 8, point.length & 0xff]);
      const aad = Buffer.concat([aadBeforePoint, pointLength, point, aadAfterPoint]);
      return { publicKey, point, ...this.#seal([encryptObject, wrapObject], aad, privateKey) };
    },
    exportPrivateKey: ({ encryptObject, wrapObject, aad, iv, sealed }) => ({
      privateKey: this.#open([encryptObject, wrapObject], aad, iv, sealed),
    }),
    encrypt: ({ object, aad, plaintext }) => this.#seal([object], aad, plaintext),
    decrypt: ({ object, aad, iv, sealed }) => ({ plaintext: this.#open([object], aad, iv, sealed) }),
    generateDataKey: ({ object, aad, bytes, withPlaintext }) => {
      const plaintext = randomBytes(bytes);
      return { ...this.#seal([object], aad, plaintext), ...(withPlaintext && { plaintext }) };
    },
    reEncrypt: ({ source, destination }) => {
      const plaintext = this.#open([source.object], source.aad, source.iv, source.sealed);
      return this.#seal([destination.object], destination.aad, plaintext);
    },
    rewrapPrivateKey: ({ source, destination }) => {
      const { encryptObject, wrapObject, aad, iv, sealed } = source;
      const privateKey = this.#open([encryptObject, wrapObject], aad, iv, sealed);
      return this.#seal([destination.encryptObject, destination.wrapObject], destination.aad, privateKey);
    },
    generateRandom: ({ bytes }) => ({ random: randomBytes(bytes) }),
    createKeyObjects: ({ encrypt, wrap }) => {
      for (const { id, label } of [encrypt, wrap]) this.objects.set(id, label);
      return {};
    },
    createSigningKey: doesNotSign,
    sign: doesNotSign,
    destroyObjects: ({ ids }) => {
      for (const id of ids) this.objects.delete(id);
      return {};
    },
    listObjects: ({ labelPrefix }) => ({
      objects: [...this.objects]
        .filter(([, label]) => label.startsWith(labelPrefix))
        .map(([id, label]) => ({ id, label })),
    }),
    ping: () => ({}),
  };
}

function keyPair({ key }: KeyPairSpec): { publicKey: Buffer; privateKey: Buffer; point: Buffer } {
  const pair =
    key.type === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: key.modulusBits })
      : generateKeyPairSync('ec', { namedCurve: key.namedCurve });
  const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' });
  const privateKey = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const point = key.type === 'RSA' ? Buffer.alloc(0) : publicKey.subarray(-key.pointBytes);
  return { publicKey, privateKey, point };
}
