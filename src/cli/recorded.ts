/** The audit record of what the command line changes. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Audit, Reservation } from '../audit/audit';
import { type AuditEntry, recordBound } from '../audit/entry';
import type { StoreConfig } from '../config/load';
import { KmsError, type KmsErrorCode, StartError } from '../errors';
import { type HeadStore, openStoreAudit, type Signature } from '../store-audit';

export type Details = Readonly<Record<string, string | number>>;

/** A change, as the audit record tells it. */
export interface Change {
  /** Such as `CreatePrincipal`. */
  readonly operation: string;
  /** No secrets. */
  readonly details: Details;
}

/** What is recorded of a change besides how it ended. */
type Recorded = Change & Pick<AuditEntry, 'tokenSerial'>;

/** The data directory, what knows the heads of the chains in it, and the token where it is open. */
export interface RecordPlace {
  readonly config: Pick<StoreConfig, 'dataDir'>;
  readonly store: HeadStore;
  readonly signature?: Signature;
}

/** A command writes one record. */
const CHAIN_BYTES = { fileBytes: 1 << 20, stepBytes: 1 << 14 } as const;
const NO_CHECKPOINTS = 1_000;

/** These say that something did not work; the others, that something was refused. */
const FAILURES: readonly KmsErrorCode[] = ['KEY_UNAVAILABLE', 'TOKEN_TIMEOUT', 'THROTTLED', 'INTERNAL'];

/**
 * Makes a change: with room for its record before, and the record on disk after. A command has a chain of its own, which
 * the token signs where it is open; the store holds its head in any case.
 *
 * @param detailsOf what is to be recorded besides, once it is known
 * @returns what `work` does
 * @throws StartError, KmsError AUDIT_UNAVAILABLE where it cannot be recorded, and whatever `work` throws
 */
export async function recorded<T>(
  place: RecordPlace,
  change: Change,
  work: () => Promise<T>,
  detailsOf: (done: T) => Details = () => ({}),
): Promise<T> {
  const serial = place.signature?.tokenSerial;
  const about: Recorded = { ...change, ...(serial !== undefined && { tokenSerial: serial }) };
  const audit = await openChain(place);
  try {
    const reservation = await audit.reserve(recordBound(0));
    try {
      const done = await work();
      await recordDone(reservation, { ...about, details: { ...change.details, ...detailsOf(done) } });
      return done;
    } catch (error) {
      if (!(error instanceof NotRecorded)) await reservation.record(entryOf(about, outcomeOf(error)));
      throw error;
    }
  } finally {
    await audit.close();
  }
}

/** The change was made, and cannot be recorded: room was made for it, so the disk must be broken. */
export class NotRecorded extends StartError {}

async function recordDone(reservation: Reservation, change: Recorded): Promise<void> {
  try {
    await reservation.record(entryOf(change, { outcome: 'ok' }));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NotRecorded(`the change was made, but not recorded: ${why}`, undefined, { cause });
  }
}

const openChain = ({ config: { dataDir }, store, signature }: RecordPlace): Promise<Audit> =>
  openStoreAudit(store, {
    dataDir,
    ...(signature && { signature }),
    ...CHAIN_BYTES,
    checkpointEvery: NO_CHECKPOINTS,
    onTrouble: (message) => process.stderr.write(`p11kms: ${message}\n`),
  });

function entryOf(change: Recorded, outcome: Pick<AuditEntry, 'outcome' | 'error'>): AuditEntry {
  return {
    time: new Date(),
    requestId: randomUUID(),
    protocol: 'cli',
    principal: `os-user/${osUser()}`,
    ...change,
    ...outcome,
  };
}

function outcomeOf(error: unknown): Pick<AuditEntry, 'outcome' | 'error'> {
  if (!(error instanceof KmsError))
    return { outcome: 'failed', error: error instanceof Error ? error.name : 'Error' };
  return { outcome: FAILURES.includes(error.code) ? 'failed' : 'refused', error: error.code };
}

/** In a container, a user may have no name. */
function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}
