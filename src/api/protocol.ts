import type { IncomingHttpHeaders } from 'node:http';

/** A request as a protocol gets it: the adapter has read the body, and nothing else. */
export interface ProtocolRequest {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  /** Undefined where it was longer than the service takes. */
  readonly body: Buffer | undefined;
  /** Whether the client went away. */
  readonly isGone: () => boolean;
}

export interface ProtocolAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly record: RequestRecord;
}

/** What the log and the metrics want to know of a request. Nothing in it may be secret. */
export interface RequestRecord {
  /** One of a closed set of names: it is a label of the metrics. */
  readonly operation: string;
  /** `ok`, or the name of the error that was answered: of a closed set, too. */
  readonly outcome: string;
  readonly keyId?: string | undefined;
  /** Milliseconds that the token spent. */
  readonly tokenMs: number;
  /** What went wrong, where the fault is the service's: it is logged with its causes. */
  readonly error?: unknown;
}

/** A protocol: from a request to its answer, whatever happens. It knows nothing of HTTP servers. */
export type Protocol = (request: ProtocolRequest) => Promise<ProtocolAnswer>;
