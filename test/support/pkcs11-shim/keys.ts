import { createDecipheriv, randomBytes } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { CkrError, type Driver, type Handle } from './driver';

const EC_P256 = Buffer.from('06082a8648ce3d030107', 'hex');
const AES_KEY_GEN = { mechanism: p11.CKM_AES_KEY_GEN };

/** The CKR code that a call is answered with. */
export async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return p11.CKR_OK;
  } catch (error) {
    if (error instanceof CkrError) return error.code;
    throw error;
  }
}

const template = (flags: Record<number, boolean>, ...more: p11.Attribute[]): p11.Template => [
  ...Object.entries(flags).map(([type, value]) => ({ type: Number(type), value })),
  ...more,
];

export function aesKey(
  on: Driver,
  session: Handle,
  uses: number[],
  more: Record<number, boolean> = {},
): Promise<Handle> {
  const all = [p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP];
  const flags = Object.fromEntries(all.map((use) => [use, uses.includes(use)]));
  const length = { type: p11.CKA_VALUE_LEN, value: 32 };
  const fixed = { [p11.CKA_SENSITIVE]: true, [p11.CKA_EXTRACTABLE]: false };
  return on.call('C_GenerateKey', session, AES_KEY_GEN, template({ ...flags, ...fixed, ...more }, length));
}

interface Pair {
  readonly publicKey: Handle;
  readonly privateKey: Handle;
}

export function ecPair(on: Driver, session: Handle, extractable = true): Promise<Pair> {
  return on.call<Pair>(
    'C_GenerateKeyPair',
    session,
    { mechanism: p11.CKM_EC_KEY_PAIR_GEN },
    template({ [p11.CKA_VERIFY]: true }, { type: p11.CKA_EC_PARAMS, value: EC_P256 }),
    template({
      [p11.CKA_SIGN]: true,
      [p11.CKA_SENSITIVE]: true,
      [p11.CKA_EXTRACTABLE]: extractable,
    }),
  );
}

export function rsaPair(on: Driver, session: Handle): Promise<Pair> {
  return on.call<Pair>(
    'C_GenerateKeyPair',
    session,
    { mechanism: p11.CKM_RSA_PKCS_KEY_PAIR_GEN },
    [
      { type: p11.CKA_MODULUS_BITS, value: 2048 },
      { type: p11.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
    ],
    template({ [p11.CKA_SENSITIVE]: true, [p11.CKA_EXTRACTABLE]: true }),
  );
}

export async function read(
  on: Driver,
  session: Handle,
  object: Handle,
  ...types: number[]
): Promise<Buffer[]> {
  const asked = types.map((type) => ({ type }));
  const answer = await on.call<{ value: Uint8Array }[]>('C_GetAttributeValue', session, object, asked);
  return answer.map(({ value }) => Buffer.from(value));
}

export const gcm = (iv: Buffer, aad: Buffer = Buffer.from('aad')) => ({
  type: p11.CK_PARAMS_AES_GCM_v240,
  iv,
  ivBits: 96,
  aad,
  tagBits: 128,
});

interface Encrypted {
  readonly afterInit: Uint8Array;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export const encrypt = (on: Driver, session: Handle, key: Handle, iv = randomBytes(12)) =>
  on.call<Encrypted>('encryptGcm', session, key, gcm(iv), Buffer.from('plaintext'));

/** AES-256-GCM by node:crypto of a ciphertext with its tag behind it. */
export function open(key: Buffer, iv: Uint8Array, sealed: Uint8Array, aad = Buffer.from('aad')): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, iv);
  decipher.setAAD(aad).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}
