/** Access keys: how they are made, and how their secrets are kept, sealed by the service key on the token. */
import { KmsError } from '../errors';
import type { JobInput, JobName, JobOutput } from '../hsm/jobs';

/** Has a job done on the token: `Token.run`, or one worker's. */
export type RunJob = <N extends JobName>(name: N, input: JobInput<N>) => Promise<JobOutput<N>>;

/** What seals and opens secrets. */
export interface Sealer {
  readonly run: RunJob;
  readonly storeId: string;
  /** CKA_ID of the service key, hex. */
  readonly serviceKey: string;
}

export interface AccessKey {
  readonly id: string;
  /** 40 characters, ASCII. Whoever has it zeroes it. */
  readonly secret: Buffer;
}

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const ID_CHARACTERS = 16;
const SECRET_CHARACTERS = 40;
const ID = /^AKIA[A-Z2-7]{16}$/;

const IV_BYTES = 12;

/** Whether an access key of p11kms's may have this id. */
export const isAccessKeyId = (text: string): boolean => ID.test(text);

/**
 * Makes an access key out of the token's random generator: 80 bits of id, 240 of secret.
 *
 * @throws KmsError
 */
export async function makeAccessKey({ run }: Pick<Sealer, 'run'>): Promise<AccessKey> {
  const { random } = await run('generateRandom', { bytes: ID_CHARACTERS + SECRET_CHARACTERS });
  const id = `AKIA${spell(random.subarray(0, ID_CHARACTERS), ID_ALPHABET).toString('latin1')}`;
  const secret = spell(random.subarray(ID_CHARACTERS), SECRET_ALPHABET);
  random.fill(0);
  return { id, secret };
}

/** A character for each byte. No strings: those cannot be zeroed. The alphabet's length divides 256. */
function spell(bytes: Buffer, alphabet: string): Buffer {
  const text = Buffer.alloc(bytes.length);
  bytes.forEach((byte, index) => {
    text[index] = alphabet.charCodeAt(byte % alphabet.length);
  });
  return text;
}

/**
 * Encrypts a secret for the store. The service key's AES-GCM calls are not counted: with one for each secret, each
 * worker that starts and each service that starts it never comes near the 2^32 that random IVs allow.
 *
 * @returns IV, ciphertext and tag, base64
 * @throws KmsError
 */
export async function sealSecret(
  { run, storeId, serviceKey }: Sealer,
  accessKey: AccessKey,
): Promise<string> {
  const aad = aadOf(storeId, accessKey.id);
  const { iv, sealed } = await run('encrypt', { object: serviceKey, aad, plaintext: accessKey.secret });
  return Buffer.concat([iv, sealed]).toString('base64');
}

/**
 * Decrypts a secret out of the store. The caller zeroes it.
 *
 * @throws KmsError; INTERNAL where it was not sealed for this access key in this store
 */
export async function openSecret(
  { run, storeId, serviceKey }: Sealer,
  accessKeyId: string,
  sealedSecret: string,
): Promise<Buffer> {
  const bytes = Buffer.from(sealedSecret, 'base64');
  const [iv, sealed] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES)];
  try {
    const { plaintext } = await run('decrypt', {
      object: serviceKey,
      aad: aadOf(storeId, accessKeyId),
      iv,
      sealed,
    });
    return plaintext;
  } catch (error) {
    if (!(error instanceof KmsError && error.code === 'INVALID_CIPHERTEXT')) throw error;
    // No fault of the client's, whose request has no ciphertext that this could be about.
    const cause = new Error(`the secret of access key ${accessKeyId} was not sealed for this store`, {
      cause: error,
    });
    throw new KmsError('INTERNAL', 'The access key cannot be used.', { cause });
  }
}

/** What a secret is bound to, so that whoever may write to the store cannot give one to another access key. */
const aadOf = (storeId: string, accessKeyId: string): Buffer =>
  Buffer.from(`p11kms secret access key\0${storeId}\0${accessKeyId}`);
