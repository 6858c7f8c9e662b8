/** What is known of one request or change. Nothing in it may be secret. */
export interface AuditEntry {
  readonly time: Date;
  readonly requestId: string;
  readonly protocol: 'trent' | 'alibaba' | 'cli' | 'service';
  /** ARN; absent where nobody was authenticated. */
  readonly principal?: string;
  readonly accessKeyId?: string;
  /** The caller's address. */
  readonly source?: string;
  readonly operation: string;
  /** ARN of the KMS key. */
  readonly key?: string;
  readonly encryptionContext?: ReadonlyMap<string, string>;
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** The protocol's name of the error. */
  readonly error?: string;
  /** Why authorisation refused. */
  readonly denied?: string;
  /** How a private key was wrapped. */
  readonly wrapping?: string;
  readonly tokenSerial?: string;
  readonly details?: Readonly<Record<string, string | number>>;
}

/** An upper bound of the bytes of a record of a request whose body has so many bytes. */
export function recordBound(bodyBytes: number): number {
  return 4096 + Math.min(16_384, 6 * bodyBytes);
}
