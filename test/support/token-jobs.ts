import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import type { KmsError } from '../../src/errors';
import type { JobOutput } from '../../src/hsm/jobs';
import { type KeyPairSpecName, keyPairSpec } from '../../src/hsm/key-pair-specs';
import type { Wrapping } from '../../src/hsm/report';
import type { Token } from '../../src/hsm/token';

/** The two objects of a key version. */
export interface KeyObjects {
  readonly encryptObject: string;
  readonly wrapObject: string;
}

const randomId = (): string => randomBytes(16).toString('hex');

/** Has the objects of a new key version made. */
export async function createKey(token: Pick<Token, 'run'>, keyId = randomId()): Promise<KeyObjects> {
  const keys = { encryptObject: randomId(), wrapObject: randomId() };
  await token.run('createKeyObjects', {
    encrypt: { id: keys.encryptObject, label: `p11kms/test/${keyId}/1/encrypt` },
    wrap: { id: keys.wrapObject, label: `p11kms/test/${keyId}/1/wrap` },
  });
  return keys;
}

export const AAD = Buffer.from('what the data is bound to');

export type Sealed = JobOutput<'encrypt'>;

export function encrypt(token: Token, { encryptObject }: KeyObjects, plaintext: Buffer): Promise<Sealed> {
  return token.run('encrypt', { object: encryptObject, aad: AAD, plaintext });
}

export async function decrypt(token: Token, { encryptObject }: KeyObjects, sealed: Sealed): Promise<Buffer> {
  return (await token.run('decrypt', { object: encryptObject, aad: AAD, ...sealed })).plaintext;
}

/** A generated pair with all that opens its private key again. */
export interface Pair extends JobOutput<'generateKeyPair'> {
  readonly spec: KeyPairSpecName;
  readonly aad: Buffer;
}

export async function generatePair(token: Token, keys: KeyObjects, spec: KeyPairSpecName): Promise<Pair> {
  const before = Buffer.from('before the point');
  const after = Buffer.from('after it');
  const aads = { aadBeforePoint: before, aadAfterPoint: after };
  const pair = await token.run('generateKeyPair', { spec, ...keys, ...aads });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(pair.point.length);
  return { ...pair, spec, aad: Buffer.concat([before, length, pair.point, after]) };
}

/** The private key as PKCS#8, wrapped in the way that the token has now unless `wrapping` says otherwise. */
export async function exportPair(
  token: Token,
  keys: KeyObjects,
  { publicKey: _, ...wrapped }: Pair,
  wrapping: Wrapping = token.report.dialect.wrapping,
): Promise<Buffer> {
  return (await token.run('exportPrivateKey', { ...keys, ...wrapped, wrapping })).privateKey;
}

export const publicKeyOf = ({ publicKey }: Pair): KeyObject =>
  createPublicKey({ key: publicKey, format: 'der', type: 'spki' });

/** Whether a PKCS#8 private key signs what a pair's public key verifies. */
export function signsFor(pkcs8: Buffer, pair: Pair): boolean {
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const message = randomBytes(100);
  return verify('sha256', message, publicKeyOf(pair), sign('sha256', message, privateKey));
}

/** What OpenSSL makes of the size or the curve of a spec. */
export function keyDetailsOf(spec: KeyPairSpecName): object {
  const { key } = keyPairSpec(spec);
  return key.type === 'RSA' ? { modulusLength: key.modulusBits } : { namedCurve: key.namedCurve };
}

/** The code that a job is refused with. */
export async function refusalOf(job: Promise<unknown>): Promise<KmsError['code'] | 'done'> {
  try {
    await job;
    return 'done';
  } catch (error) {
    const { code } = error as KmsError;
    if (code === undefined) throw error;
    return code;
  }
}

/** A copy with one bit changed. */
export function flip(bytes: Buffer, at = 0): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
