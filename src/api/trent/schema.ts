import type { SchemaObject } from 'ajv';
import { ABSENT } from './absent';
import { STORABLE } from './wording';

declare const value: unique symbol;

/** A JSON Schema, and the type of what passes it. */
export interface Schema<T> extends SchemaObject {
  readonly [value]?: T;
}

type Members = Readonly<Record<string, Schema<unknown>>>;
type Values<M extends Members> = { readonly [K in keyof M]: M[K] extends Schema<infer T> ? T : never };

/** A request: members that it must have, and members that it may have. Others are ignored. */
export function structure<R extends Members, O extends Members>(
  required: R,
  optional: O,
): Schema<Values<R> & Partial<Values<O>>> {
  return { type: 'object', properties: { ...required, ...optional }, required: Object.keys(required) };
}

/** A list of structures. */
export const listOf = <T>(item: Schema<T>): Schema<readonly T[]> => ({ type: 'array', listOf: item });

// The keywords that JSON Schema does not have are explained in keywords.ts.

/**
 * Text without U+0000, which PostgreSQL cannot hold, and without halves of surrogate pairs, which no store gives back
 * as they were. A pattern that takes the place of this one has to see to that.
 */
export const text = (minLength: number, maxLength: number): Schema<string> => ({
  type: 'string',
  minLength,
  maxLength,
  pattern: STORABLE,
});

export const integer = (minimum: number, maximum: number): Schema<number> => ({
  type: 'integer',
  minimum,
  maximum,
});

const flag: Schema<boolean> = { type: 'boolean' };

/** One of the values that the API has, of which p11kms has those in `supported`; `why` says why not the others. */
export const choice = <const S extends string>(
  supported: readonly S[],
  others: readonly string[] = [],
  why?: string,
): Schema<S> => ({
  type: 'string',
  enum: [...supported, ...others],
  supported: { values: supported, ...(why !== undefined && { why }) },
});

/** A member that p11kms does not have, of the given JSON type; `why` says why not. */
export const lacking = (type: 'string' | 'object' | 'array', why?: string): Schema<never> => ({
  type,
  supported: { values: [], ...(why !== undefined && { why }) },
});

export const keyId = text(1, 2048);
export const description = text(0, 8192);
export const aliasName: Schema<string> = { ...text(1, 256), pattern: '^[a-zA-Z0-9:/_-]+$' };

export const plaintext: Schema<Buffer> = { type: 'string', blob: { min: 1, max: 4096 }, sensitive: true };
/** Room for the largest: a wrapped RSA-4096 key is some 2,450 bytes long, an encrypted plaintext 4,150. */
export const ciphertextBlob: Schema<Buffer> = { type: 'string', blob: { min: 1, max: 6144 } };

export const encryptionContext: Schema<ReadonlyMap<string, string>> = { type: 'object', textMap: true };
export const grantTokens: Schema<readonly string[]> = {
  type: 'array',
  textList: { maxItems: 10, minLength: 1, maxLength: 8192 },
};

export const dryRun = flag;
export const bypassPolicyLockoutSafetyCheck = flag;
export const multiRegion: Schema<false> = {
  type: 'boolean',
  supported: { values: [false], why: ABSENT.multiRegionKeys },
};
export const recipient = lacking('object', ABSENT.enclaves);
export const customKeyStoreId = lacking('string', ABSENT.customKeyStores);

export const numberOfBytes = integer(1, 1024);
export const limitOfKeys = integer(1, 1000);
export const limitOfAliases = integer(1, 100);
export const marker: Schema<string> = { ...text(1, 1024), pattern: '[\\u0020-\\u00FF]*' };

/** Whether the key has the algorithm is known once the key is. */
export const encryptionAlgorithm = choice([
  'SYMMETRIC_DEFAULT',
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'SM2PKE',
]);

export const dryRunModifiers: Schema<readonly 'IGNORE_CIPHERTEXT'[]> = {
  type: 'array',
  textList: { maxItems: 1, minLength: 1, maxLength: 64, values: ['IGNORE_CIPHERTEXT'] },
};

/** AWS KMS waits 30 days where the request does not say. */
export const pendingWindowInDays = integer(7, 30);
export const rotationPeriodInDays = integer(90, 2560);
export const includeKeyMaterial = choice(['ROTATIONS_ONLY', 'ALL_KEY_MATERIAL']);

export const keyUsage = choice([
  'ENCRYPT_DECRYPT',
  'SIGN_VERIFY',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
  'ENCAPSULATE_DECAPSULATE',
]);

export const keySpec = choice(
  ['SYMMETRIC_DEFAULT'],
  [
    'RSA_2048',
    'RSA_3072',
    'RSA_4096',
    'ECC_NIST_P256',
    'ECC_NIST_P384',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'ECC_NIST_EDWARDS25519',
    'HMAC_224',
    'HMAC_256',
    'HMAC_384',
    'HMAC_512',
    'SM2',
    'ML_DSA_44',
    'ML_DSA_65',
    'ML_DSA_87',
    'ML_KEM_512',
    'ML_KEM_768',
    'ML_KEM_1024',
  ],
  'KMS keys are SYMMETRIC_DEFAULT',
);

export const dataKeySpec = choice(['AES_256', 'AES_128']);

export const keyPairSpec = choice(
  ['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'],
  ['SM2', 'ECC_NIST_EDWARDS25519', 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'],
  'data key pairs are RSA, or on the curves P-256, P-384, P-521 and secp256k1',
);
