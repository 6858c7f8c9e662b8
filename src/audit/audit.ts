/** The audit record that cannot be altered unseen. */
import type { AuditEntry } from './entry';

/** Room on disk for one record. */
export interface Reservation {
  /**
   * Resolves when the record is on disk. To be called once.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  record(entry: AuditEntry): Promise<void>;
  /** Gives the room back unused; does nothing after `record`. */
  release(): void;
}

export interface Audit {
  /** The chain's id, as in its files' names. */
  readonly chain: string;
  /**
   * Makes sure that there is room on disk for one record of at most so many bytes.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  reserve(bytes: number): Promise<Reservation>;
  /** Writes what waits and the last checkpoint, trims the file and closes it. */
  close(): Promise<void>;
}

/** Signs checkpoints. */
export interface Signer {
  /** X.509 SubjectPublicKeyInfo of an EC P-256 key, DER. */
  readonly publicKey: Buffer;
  /** ECDSA over a SHA-256 digest: r and s, 64 bytes. */
  sign(digest: Buffer): Promise<Buffer>;
}

/** The last line of a chain that the store knows. */
export interface Head {
  readonly chain: string;
  readonly sequence: number;
  /** SHA-256 of the line, hex. */
  readonly hash: string;
}

export interface Heads {
  put(chain: string, sequence: number, hash: string): Promise<void>;
  list(): Promise<readonly Head[]>;
}

export interface AuditOptions {
  /** Made where it does not exist. */
  readonly dir: string;
  readonly storeId: string;
  readonly tokenSerial?: string;
  /** After so many bytes a chain goes on in another file. */
  readonly fileBytes: number;
  /** The file is extended by so many bytes at a time. */
  readonly stepBytes: number;
  /** Lines from one signed checkpoint to the next. */
  readonly checkpointEvery: number;
  readonly heads: Heads;
  /** Absent where the token is not at hand: such a chain is held by the store alone. */
  readonly signer?: Signer;
  /** Holds a file's lock until what it returns is called; undefined where another process holds it. */
  readonly lock: (file: string) => (() => void) | undefined;
  /** Told once of each trouble that requests may survive. */
  readonly onTrouble: (message: string, error: unknown) => void;
}

/**
 * Begins a chain, once it has repaired what crashed processes left behind.
 *
 * @throws StartError where the directory cannot be used
 */
export declare function openAudit(options: AuditOptions): Promise<Audit>;
