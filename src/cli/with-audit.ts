/** Changes by the command line, in the audit record. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Audit } from '../audit/audit';
import { type AuditEntry, recordBound } from '../audit/entry';
import { KmsError } from '../errors';
import { assertOwner } from '../store/owner';
import type { Store } from '../store/store';
import { openStoreAudit, type StoreAuditOptions } from '../store-audit';

const SIZES = { fileBytes: 16_777_216, stepBytes: 8_192, checkpointEvery: 1_000 } as const;

/**
 * Runs a command with an audit chain of its own.
 *
 * @throws StartError where there can be none, and whatever `use` throws
 */
export async function withAudit<T>(
  store: Store,
  options: Pick<StoreAuditOptions, 'dataDir' | 'token'>,
  use: (audit: Audit) => Promise<T>,
): Promise<T> {
  assertOwner(options.dataDir);
  const onTrouble = (message: string, error: unknown) =>
    void process.stderr.write(`p11kms: ${message}: ${error instanceof Error ? error.message : error}\n`);
  const audit = await openStoreAudit(store, { ...options, ...SIZES, onTrouble });
  try {
    return await use(audit);
  } finally {
    await audit.close();
  }
}

/** What a command changes. */
export type Change = Pick<AuditEntry, 'operation' | 'key' | 'tokenSerial' | 'details'>;

/**
 * Makes one change and records it, also where it fails. There is room for the record before the change begins.
 *
 * @throws KmsError AUDIT_UNAVAILABLE, and whatever `make` throws
 */
export async function recorded<T>(audit: Audit, change: Change, make: () => Promise<T>): Promise<T> {
  const reservation = await audit.reserve(recordBound(0));
  const record = (rest: Pick<AuditEntry, 'outcome' | 'error'>) =>
    reservation.record({
      ...change,
      details: { user: userName(), ...change.details },
      time: new Date(),
      requestId: randomUUID(),
      protocol: 'cli',
      ...rest,
    });
  let result: T;
  try {
    result = await make();
  } catch (error) {
    await record({ outcome: 'failed', error: error instanceof KmsError ? error.code : 'INTERNAL' });
    throw error;
  }
  await record({ outcome: 'ok' });
  return result;
}

/** Of the operating system. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id that has no name, as containers have them.
    return String(process.getuid?.());
  }
}
