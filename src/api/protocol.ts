import type { IncomingHttpHeaders } from 'node:http';
import type { Call } from '../kms/kms';
import type { ConnectionSource } from './source';

/** A request before its body has been read. */
export interface RequestHead {
  readonly id: string;
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly source: ConnectionSource;
  /** Whether the client went away. */
  readonly isGone: () => boolean;
  /** Takes room for a long body, and says whether there was any: to be asked before a `bodyLimit` that is long. */
  readonly takeLongBody: () => boolean;
}

/** A request as a protocol gets it: the adapter has read the body, and nothing else. */
export interface ProtocolRequest extends RequestHead {
  /** Undefined where it was longer than `bodyLimit` allows. */
  readonly body: Buffer | undefined;
}

export interface ProtocolAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly record: RequestRecord;
}

/** What the log, the metrics and the audit record want to know of a request. Nothing in it may be secret. */
export interface RequestRecord {
  /** One of a closed set of names: it is a label of the metrics. */
  readonly operation: string;
  /** `ok`, or the name of the error that was answered: of a closed set, too. */
  readonly outcome: string;
  /** ARN of who was authenticated. */
  readonly principal?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly encryptionContext?: ReadonlyMap<string, string> | undefined;
  /** What ReEncrypt opened. */
  readonly from?: Call['from'];
  readonly wrapping?: string | undefined;
  readonly details?: Call['details'];
  /** Why policies refused it. */
  readonly denied?: string | undefined;
  /** What exactly was wrong, where the answer does not say it. */
  readonly reason?: string | undefined;
  /** Milliseconds that the token spent. */
  readonly tokenMs: number;
  /** What went wrong, where the fault is the service's: it is logged with its causes. */
  readonly error?: unknown;
}

/** A protocol knows nothing of HTTP servers. None of its functions ever fails. */
export interface Protocol {
  /** Its name in the audit record. */
  readonly name: 'trent' | 'alibaba';
  /** The bytes that the body of this request may have. */
  bodyLimit(head: RequestHead): number | Promise<number>;
  /** From a request to its answer, whatever happens. */
  answer(request: ProtocolRequest): Promise<ProtocolAnswer>;
  /** The name of the operation that a request asks for: of a closed set. */
  operationOf(request: Pick<ProtocolRequest, 'headers'>): string;
  /** The answer to a request that must not be served. */
  refuse(request: ProtocolRequest, error: unknown): ProtocolAnswer;
}
