import { createECDH, createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Audit, type AuditOptions, type Head, openAudit } from '../../../src/audit/audit';
import { type AuditEntry, recordBound } from '../../../src/audit/entry';
import type { AuditReport } from '../../../src/audit/findings';
import { verifyAudit } from '../../../src/audit/verify';
import { lockFile } from '../../../src/store/lock';
import { atEnd } from '../../support/at-end';

export const STORE_ID = '0123456789ab';

export function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'p11kms-audit-'));
  atEnd(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const toNumber = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
const toBytes = (number: bigint) => Buffer.from(number.toString(16).padStart(64, '0'), 'hex');

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [b, e] = [base % ORDER, exponent]; e > 0n; e >>= 1n, b = (b * b) % ORDER)
    if (e & 1n) result = (result * b) % ORDER;
  return result;
}

/** ECDSA on P-256 over a digest, as a token does it: node:crypto signs only what it hashes itself (FIPS 186-5, 6.4.1). */
export function newSigner() {
  const key = createECDH('prime256v1');
  key.generateKeys();
  const point = key.getPublicKey();
  const spki = Buffer.concat([
    Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
    point,
  ]);
  return {
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({
      type: 'spki',
      format: 'der',
    }),
    async sign(digest: Buffer): Promise<Buffer> {
      const once = createECDH('prime256v1');
      once.generateKeys();
      const r = toNumber(once.getPublicKey().subarray(1, 33)) % ORDER;
      const inverse = power(toNumber(once.getPrivateKey()), ORDER - 2n);
      const s = (inverse * ((toNumber(digest) + r * toNumber(key.getPrivateKey())) % ORDER)) % ORDER;
      return Buffer.concat([toBytes(r), toBytes(s)]);
    },
  };
}

/** An audit directory with what its store and its token do. */
export class Site {
  readonly dir = newDir();
  readonly heads = new Map<string, Head>();
  readonly troubles: string[] = [];

  constructor(readonly signer = newSigner()) {}

  open(overrides: Partial<AuditOptions> = {}): Promise<Audit> {
    return openAudit({
      dir: this.dir,
      storeId: STORE_ID,
      tokenSerial: 'serial',
      fileBytes: 16_384,
      stepBytes: 8_192,
      checkpointEvery: 10,
      heads: {
        put: async (chain, sequence, hash) => void this.heads.set(chain, { chain, sequence, hash }),
        list: async () => [...this.heads.values()],
      },
      signer: this.signer,
      lock: lockFile,
      onTrouble: (message, error) => void this.troubles.push(`${message}: ${error}`),
      ...overrides,
    });
  }

  verify(): AuditReport {
    const store = { id: STORE_ID, heads: [...this.heads.values()] };
    return verifyAudit({ dirs: [this.dir], store, publicKey: this.signer.publicKey });
  }

  verifyWithoutStore(publicKey?: Buffer): AuditReport {
    return verifyAudit({ dirs: [this.dir], ...(publicKey && { publicKey }) });
  }

  /** Names of the record's files. */
  files(): string[] {
    return readdirSync(this.dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
  }

  read(file: string): Buffer {
    return readFileSync(join(this.dir, file));
  }

  write(file: string, bytes: Buffer | string): void {
    writeFileSync(join(this.dir, file), bytes);
  }

  /** What all lines say. */
  lines(): Record<string, unknown>[] {
    return this.files()
      .flatMap((file) => this.read(file).toString('utf8').split('\n'))
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** A closed chain of so many records. */
  async record(count: number, overrides?: Partial<AuditOptions>): Promise<Audit> {
    const audit = await this.open(overrides);
    for (let at = 0; at < count; at++) await record(audit, entry({ operation: `Operation${at}` }));
    return audit;
  }
}

export const entry = (overrides: Partial<AuditEntry> = {}): AuditEntry => ({
  time: new Date(),
  requestId: randomUUID(),
  protocol: 'trent',
  principal: 'arn:aws:iam::111122223333:user/alice',
  accessKeyId: 'AKIAEXAMPLEEXAMPLE00',
  source: '127.0.0.1',
  operation: 'Encrypt',
  key: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  outcome: 'ok',
  ...overrides,
});

export async function record(audit: Audit, what: AuditEntry = entry(), bodyBytes = 100): Promise<void> {
  const reservation = await audit.reserve(recordBound(bodyBytes));
  await reservation.record(what);
}

export const kinds = ({ findings }: AuditReport): string[] => findings.map(({ kind }) => kind);

export const randomText = (bytes: number): string => randomBytes(bytes).toString('base64');
