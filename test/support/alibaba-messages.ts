import { join } from 'node:path';
import { Root, type Type } from 'protobufjs';

/**
 * The messages of the Alibaba KMS instance API as a client reads and writes them, by another protobuf library than the
 * service's, from a description of their own.
 */
const MESSAGES = new Root().loadSync(join(__dirname, 'alibaba.proto'), { keepCase: true }).define('api');

/** The names of all messages. */
export const MESSAGE_NAMES: readonly string[] = MESSAGES.nestedArray.map(({ name }) => name);

/** The type of a message. Throws where there is none of this name. */
export const messageType = (name: string): Type => MESSAGES.lookupType(name);

/** The operations that p11kms has. */
export const OPERATION_NAMES = [
  'AdvanceDecrypt',
  'AdvanceEncrypt',
  'AdvanceGenerateDataKey',
  'AdvanceGenerateDataKeyPair',
  'AdvanceGenerateDataKeyPairWithoutPlaintext',
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateRandom',
] as const satisfies readonly (keyof Answers)[];

/** A message's bytes. Throws where a field is unknown, or its value of another type than the message says. */
export function encode(name: string, fields: object): Buffer {
  const type = messageType(name);
  const wrong = Object.keys(fields).find((field) => !type.fields[field]) ?? type.verify(fields);
  if (wrong) throw new Error(`${name}: ${wrong}`);
  return Buffer.from(type.encode(fields).finish());
}

/** Every field of a message: empty or 0 where it was not sent. Throws where the bytes are no such message. */
export function decode(name: string, bytes: Buffer): Record<string, unknown> {
  const type = messageType(name);
  return type.toObject(type.decode(bytes), { defaults: true });
}

/** What a call may say: of which operation which fields, stands in the .proto. */
export interface Fields {
  readonly KeyId?: string;
  readonly Plaintext?: Buffer;
  readonly CiphertextBlob?: Buffer;
  readonly Algorithm?: string;
  readonly Aad?: Buffer | undefined;
  readonly Iv?: Buffer;
  readonly PaddingMode?: string;
  readonly Length?: number;
  readonly NumberOfBytes?: number;
  readonly KeyPairSpec?: string;
  readonly KeyFormat?: string;
}

interface Answer {
  readonly KeyId: string;
  readonly RequestId: string;
  readonly Algorithm: string;
}
interface Encrypted extends Answer {
  readonly CiphertextBlob: Buffer;
  readonly Iv: Buffer;
  readonly PaddingMode: string;
}
interface Decrypted extends Answer {
  readonly Plaintext: Buffer;
  readonly PaddingMode: string;
}
interface DataKey extends Answer {
  readonly Iv: Buffer;
  readonly Plaintext: Buffer;
  readonly CiphertextBlob: Buffer;
}
interface WrappedKeyPair extends Answer {
  readonly Iv: Buffer;
  readonly KeyPairSpec: string;
  readonly PrivateKeyCiphertextBlob: Buffer;
  readonly PublicKey: Buffer;
}
interface KeyPair extends WrappedKeyPair {
  readonly PrivateKeyPlaintext: Buffer;
}
interface Advanced {
  readonly KeyVersionId: string;
}

/** The answers of the operations. */
export interface Answers {
  readonly Encrypt: Encrypted;
  readonly AdvanceEncrypt: Encrypted & Advanced;
  readonly Decrypt: Decrypted;
  readonly AdvanceDecrypt: Decrypted & Advanced;
  readonly GenerateRandom: { readonly Random: Buffer; readonly RequestId: string };
  readonly GenerateDataKey: DataKey;
  readonly AdvanceGenerateDataKey: DataKey & Advanced;
  readonly GenerateDataKeyPair: KeyPair;
  readonly GenerateDataKeyPairWithoutPlaintext: WrappedKeyPair;
  readonly AdvanceGenerateDataKeyPair: KeyPair & Advanced;
  readonly AdvanceGenerateDataKeyPairWithoutPlaintext: WrappedKeyPair & Advanced;
}

/** What a refusal says. */
export interface ErrorFields {
  readonly StatusCode: number;
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
  readonly RequestId: string;
}
