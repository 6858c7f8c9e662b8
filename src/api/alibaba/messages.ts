/**
 * The messages of the Alibaba KMS instance API, package `api`, proto3. Fields are numbered in their order, from 1. A
 * field that was not sent is an empty string, no bytes or 0.
 *
 * Source: Alibaba's API reference, and the message definitions that its SDKs publish.
 */
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

const cipherRequest = { Algorithm: 'string', Aad: 'bytes', Iv: 'bytes', PaddingMode: 'string' } as const;
const encryptRequest = { KeyId: 'string', Plaintext: 'bytes', ...cipherRequest } as const;
const encryptResponse = {
  KeyId: 'string',
  CiphertextBlob: 'bytes',
  Iv: 'bytes',
  RequestId: 'string',
  Algorithm: 'string',
  PaddingMode: 'string',
} as const;
const decryptRequest = { CiphertextBlob: 'bytes', KeyId: 'string', ...cipherRequest } as const;
const decryptResponse = {
  KeyId: 'string',
  Plaintext: 'bytes',
  RequestId: 'string',
  Algorithm: 'string',
  PaddingMode: 'string',
} as const;
const dataKeyResponse = {
  KeyId: 'string',
  Iv: 'bytes',
  Plaintext: 'bytes',
  CiphertextBlob: 'bytes',
  RequestId: 'string',
  Algorithm: 'string',
} as const;
const keyPairParameters = { KeyPairSpec: 'string', KeyFormat: 'string', Aad: 'bytes' } as const;
const keyPairRequest = { KeyId: 'string', Algorithm: 'string', ...keyPairParameters } as const;
const advanceKeyPairRequest = { KeyId: 'string', ...keyPairParameters } as const;
const wrappedKeyPair = {
  PrivateKeyCiphertextBlob: 'bytes',
  PublicKey: 'bytes',
  RequestId: 'string',
  Algorithm: 'string',
} as const;
const keyPairHead = { KeyId: 'string', Iv: 'bytes', KeyPairSpec: 'string' } as const;
const keyPairResponse = { ...keyPairHead, PrivateKeyPlaintext: 'bytes', ...wrappedKeyPair } as const;
const wrappedKeyPairResponse = { ...keyPairHead, ...wrappedKeyPair } as const;
const keyVersion = { KeyVersionId: 'string' } as const;

const MESSAGES = {
  EncryptRequest: encryptRequest,
  EncryptResponse: encryptResponse,
  AdvanceEncryptRequest: encryptRequest,
  AdvanceEncryptResponse: { ...encryptResponse, ...keyVersion },
  DecryptRequest: decryptRequest,
  DecryptResponse: decryptResponse,
  AdvanceDecryptRequest: decryptRequest,
  AdvanceDecryptResponse: { ...decryptResponse, ...keyVersion },
  GenerateRandomRequest: { Length: 'int32' },
  GenerateRandomResponse: { Random: 'bytes', RequestId: 'string' },
  GenerateDataKeyRequest: { KeyId: 'string', Algorithm: 'string', NumberOfBytes: 'int32', Aad: 'bytes' },
  GenerateDataKeyResponse: dataKeyResponse,
  AdvanceGenerateDataKeyRequest: { KeyId: 'string', NumberOfBytes: 'int32', Aad: 'bytes' },
  AdvanceGenerateDataKeyResponse: { ...dataKeyResponse, ...keyVersion },
  GenerateDataKeyPairRequest: keyPairRequest,
  GenerateDataKeyPairResponse: keyPairResponse,
  GenerateDataKeyPairWithoutPlaintextRequest: keyPairRequest,
  GenerateDataKeyPairWithoutPlaintextResponse: wrappedKeyPairResponse,
  AdvanceGenerateDataKeyPairRequest: advanceKeyPairRequest,
  AdvanceGenerateDataKeyPairResponse: { ...keyPairResponse, ...keyVersion },
  AdvanceGenerateDataKeyPairWithoutPlaintextRequest: advanceKeyPairRequest,
  AdvanceGenerateDataKeyPairWithoutPlaintextResponse: { ...wrappedKeyPairResponse, ...keyVersion },
  Error: { StatusCode: 'int32', ErrorCode: 'string', ErrorMessage: 'string', RequestId: 'string' },
} as const satisfies Record<string, Readonly<Record<string, FieldType>>>;

interface Values {
  string: string;
  bytes: Buffer;
  int32: number;
}
type FieldType = keyof Values;

export type MessageName = keyof typeof MESSAGES;
type Fields<N extends MessageName> = (typeof MESSAGES)[N];
export type Message<N extends MessageName> = {
  readonly [F in keyof Fields<N>]: Fields<N>[F] extends FieldType ? Values[Fields<N>[F]] : never;
};

const TYPES: Record<FieldType, FieldDescriptorProto_Type> = {
  string: FieldDescriptorProto_Type.STRING,
  bytes: FieldDescriptorProto_Type.BYTES,
  int32: FieldDescriptorProto_Type.INT32,
};

const WIRE_TYPES: Record<FieldType, WireType> = {
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  int32: WireType.Varint,
};

const FILE = create(FileDescriptorProtoSchema, {
  name: 'api.proto',
  package: 'api',
  syntax: 'proto3',
  messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
    name,
    field: Object.entries(fields).map(([field, type], index) => ({
      name: field,
      number: index + 1,
      type: TYPES[type],
      label: FieldDescriptorProto_Label.OPTIONAL,
    })),
  })),
});

const REGISTRY = createFileRegistry(FILE, () => undefined);

function descriptorOf(name: MessageName): DescMessage {
  const descriptor = REGISTRY.getMessage(`api.${name}`);
  if (!descriptor) throw new Error(`no message ${name}`);
  return descriptor;
}

/**
 * Reads a message. Its bytes share the input's memory. Unknown fields are skipped.
 *
 * @throws where the bytes are no such message, or have more than 100 fields
 */
export function decodeMessage<N extends MessageName>(name: N, bytes: Buffer): Message<N> {
  const descriptor = descriptorOf(name);
  assertWireTypes(name, bytes);
  // Kept, unknown fields would take many times the room that they take in the request.
  const decoded = fromBinary(descriptor, bytes, { readUnknownFields: false });
  const fields = descriptor.fields.map(({ localName }) => {
    // Not its own property where it was not sent: such defaults are the prototype's.
    const value: unknown = Reflect.get(decoded, localName);
    return [localName, value instanceof Uint8Array ? asBuffer(value) : value] as const;
  });
  return Object.fromEntries(fields) as Message<N>;
}

/** More than any message has: to read millions of unknown ones takes a second in which nobody else is served. */
const MAX_FIELDS = 100;

/** The library reads a field as the message has it, whatever it was sent as, and all that follows awry. */
function assertWireTypes(name: MessageName, bytes: Buffer): void {
  const types: readonly FieldType[] = Object.values(MESSAGES[name]);
  const reader = new BinaryReader(bytes);
  for (let fields = 0; reader.pos < reader.len; fields++) {
    const [number, wireType] = reader.tag();
    const type = types[number - 1];
    if (fields === MAX_FIELDS) throw new Error(`${name} with more than ${MAX_FIELDS} fields`);
    if (type && WIRE_TYPES[type] !== wireType) throw new Error(`field ${number} of ${name} is no ${type}`);
    // Proto3 has no groups; one would be skipped field by field, however many it holds.
    if (wireType === WireType.StartGroup) throw new Error(`field ${number} of ${name} is a group`);
    reader.skip(wireType, number);
  }
}

/** Writes a message. The caller zeroes the result if there is a secret in it. */
export function encodeMessage<N extends MessageName>(name: N, message: Message<N>): Buffer {
  const descriptor = descriptorOf(name);
  return asBuffer(toBinary(descriptor, create(descriptor, message)));
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
