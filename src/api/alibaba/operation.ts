import type { Call, Kms } from '../../kms/kms';
import { refusal } from './errors';
import { decodeMessage, encodeMessage, type Message, type MessageName } from './messages';

/** A name for which there is a request and a response. */
export type OperationName = MessageName extends infer M ? (M extends `${infer N}Request` ? N : never) : never;

type Request<N extends OperationName> = Message<`${N}Request`>;
/** What goes back, but for the request's id. Plaintext in it is zeroed once it is encoded. */
type Answer<N extends OperationName> = Omit<Message<`${N}Response`>, 'RequestId'>;

/** An operation as its file defines it. */
interface Definition<N extends OperationName> {
  /** Its name in the API: what x-kms-apiname says. */
  readonly name: N;
  /** What people should know of it: for the README. */
  readonly note: string;
  /** Whether it counts for the limit of key pairs that are made at a time. */
  readonly makesKeyPair?: true;
  run(kms: Kms, call: Call, request: Request<N>): Promise<Answer<N>>;
}

/** An operation as the handler knows it. */
export interface Operation {
  readonly name: OperationName;
  readonly note: string;
  readonly makesKeyPair?: true;
  /**
   * @param body the request in protobuf
   * @returns the answer in protobuf
   * @throws ProtocolError, KmsError
   */
  run(kms: Kms, call: Call, body: Buffer): Promise<Buffer>;
}

/** Fields of answers that hold what is secret. */
const SECRETS: ReadonlySet<string> = new Set(['Plaintext', 'PrivateKeyPlaintext', 'Random']);

/** Makes an operation of its definition. */
export function operation<N extends OperationName>({ run, ...about }: Definition<N>): Operation {
  return {
    ...about,
    async run(kms, call, body) {
      const answer = await run(kms, call, decode<N>(about.name, body));
      return encode(about.name, { ...answer, RequestId: call.requestId });
    },
  };
}

function decode<N extends OperationName>(name: N, body: Buffer): Request<N> {
  try {
    return decodeMessage(`${name}Request`, body);
  } catch {
    // Without its cause, which may quote the body.
    throw refusal('InvalidParameter', `the body is no ${name}Request in protobuf`);
  }
}

function encode<N extends OperationName>(name: N, answer: object): Buffer {
  try {
    return encodeMessage(`${name}Response`, answer as Message<`${N}Response`>);
  } finally {
    for (const [field, value] of Object.entries(answer)) {
      if (SECRETS.has(field) && Buffer.isBuffer(value)) value.fill(0);
    }
  }
}
