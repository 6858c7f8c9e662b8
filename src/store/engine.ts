import type { Kysely } from 'kysely';
import type { Database } from './schema';

/** What only one may do at a time, of all instances on one store. */
export type ExclusiveWork = 'start' | 'token-objects';

/**
 * @param sequence of the chain's last line; a lower one than is recorded already changes nothing
 * @param hash SHA-256 of that line, hex
 */
export type PutAuditHead = (chain: string, sequence: number, hash: string) => Promise<void>;

/** The database that a store is in. */
export interface Engine {
  readonly db: Kysely<Database>;
  /** Records the head of a chain of audit records, after each of the chain's commits: a hot path. */
  readonly putAuditHead: PutAuditHead;
  /** Rejects where the database does not answer, after a few seconds at most. */
  ping(): Promise<void>;
  /**
   * Does the work while no other process on this database does work of the same name.
   *
   * @param waitMs how long to wait for the others
   * @throws KmsError TOKEN_TIMEOUT where they took longer, or the database does not answer
   */
  alone<T>(name: ExclusiveWork, waitMs: number, work: () => Promise<T>): Promise<T>;
  /** Whether other processes of p11kms use the database, by all that can be seen. */
  isShared(): Promise<boolean>;
  close(): Promise<void>;
}
