/** The audit record that cannot be altered unseen: a chain of lines for each process. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../errors';
import { Chain } from './chain';
import { type Checkpoints, createCheckpoints, type Signer } from './checkpoints';
import { type AuditEntry, CONTEXT_BYTES, recordBound } from './entry';
import { type Covered, lockName, NO_HASH, newChainId, startMembers } from './lines';
import { NoRoomError } from './log-file';
import { type LockFile, type Repair, repairChains } from './repair';
import { openReservations, type Reservation } from './reservations';

export type { Reservation };

export interface Audit {
  /** The chain's id, as in its files' names. */
  readonly chain: string;
  /**
   * Makes sure that there is room on disk for one record of at most so many bytes. What does not fit into them is
   * recorded by its digest.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  reserve(bytes: number): Promise<Reservation>;
  /**
   * Whether requests can be recorded now, the largest record included.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  check(): Promise<void>;
  /**
   * Refuses reservations, and waits for the records of those that were made, so many milliseconds at most: how many are
   * missing then is recorded. Writes the last line, trims the file and closes it.
   */
  close(limitMs?: number): Promise<void>;
}

/** The last line of a chain that the store knows. */
export interface Head extends Covered {
  readonly chain: string;
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
  readonly lock: LockFile;
  /** Told once of each trouble that requests may survive, and of the one after which all are refused. */
  readonly onTrouble: (message: string, error: unknown) => void;
}

/** The first line of a file, or a checkpoint, at most. */
const LINE_BYTES = 2_048;

/**
 * Begins a chain, once what crashed processes left behind is repaired; that is recorded in it.
 *
 * @throws StartError where the directory cannot be used
 * @throws KmsError where the store cannot, or the chain not be written
 */
export async function openAudit(options: AuditOptions): Promise<Audit> {
  const { dir, heads } = options;
  const known = new Map((await heads.list()).map(({ chain, sequence }) => [chain, sequence]));
  const { chain, unlock, repairs } = claim(options, known);
  try {
    // Before there is a file: one of which the store knows nothing would look like somebody else's.
    await heads.put(chain, 0, NO_HASH);
    const audit = await begin(options, chain, unlock);
    for (const repair of repairs) await recordRepair(audit, repair);
    return audit;
  } catch (error) {
    // There is no file then. A service that is started again and again must not leave locks in their thousands.
    if (error instanceof NoRoomError) rmSync(join(dir, lockName(chain)), { force: true });
    unlock();
    throw error instanceof NoRoomError ? unusable(dir, error) : error;
  }
}

function claim({ dir, lock }: AuditOptions, known: ReadonlyMap<string, number>) {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const repairs = repairChains(dir, lock, (chain) => known.get(chain) ?? 0);
    const chain = newChainId(new Date());
    const unlock = lock(join(dir, lockName(chain)));
    if (!unlock) throw new Error('the lock of a new chain is taken');
    return { chain, unlock, repairs };
  } catch (error) {
    throw unusable(dir, error);
  }
}

function unusable(dir: string, cause: unknown): StartError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StartError(`the audit directory ${dir} cannot be used: ${why}`, undefined, { cause });
}

async function begin(options: AuditOptions, chain: string, unlock: () => void): Promise<Audit> {
  const { dir, storeId, tokenSerial, signer, checkpointEvery, onTrouble } = options;
  let checkpoints: Checkpoints | undefined;
  const keepHead = headKeeper(options, chain);
  const lines = await Chain.begin(
    startMembers({ time: new Date(), chain, storeId, tokenSerial, publicKey: signer?.publicKey }),
    { ...options, chain, headBytes: LINE_BYTES },
    {
      putHead: async (head) => {
        await keepHead(head);
        checkpoints?.look();
      },
      onTrouble,
    },
  );
  // For the last line: a chain ends in order also where the disk is full.
  await lines.reserve(LINE_BYTES);
  const ends = { chain, storeId, every: checkpointEvery, signer, lineBytes: LINE_BYTES, onTrouble };
  checkpoints = createCheckpoints(lines, ends);
  return face(chain, lines, checkpoints, (isEnded) => {
    if (isEnded) rmSync(join(dir, lockName(chain)));
    unlock();
  });
}

/** Puts each head into the store. One that is behind does no harm, so requests do not fail where the store does. */
function headKeeper({ heads, onTrouble }: AuditOptions, chain: string) {
  let inTrouble = false;
  return async ({ sequence, hash }: Covered): Promise<void> => {
    try {
      await heads.put(chain, sequence, hash);
      inTrouble = false;
    } catch (error) {
      if (!inTrouble) onTrouble('the store does not take the head of the audit log', error);
      inTrouble = true;
    }
  };
}

function face(
  chain: string,
  lines: Chain,
  checkpoints: Checkpoints,
  leave: (isEnded: boolean) => void,
): Audit {
  const reservations = openReservations(lines);
  const { reserve } = reservations;
  let closing: Promise<void> | undefined;

  async function close(limitMs: number): Promise<void> {
    await reservations.end(limitMs, (missing) => serviceEntry('EndService', 'failed', { missing }));
    // Where the last line cannot be written, the lock's file stays and says that there was no orderly end.
    const isEnded = await checkpoints.end().then(
      () => true,
      () => false,
    );
    await lines.close();
    leave(isEnded);
  }

  return {
    chain,
    reserve,
    async check() {
      const reservation = await reserve(recordBound(CONTEXT_BYTES));
      reservation.release();
    },
    close(limitMs = 0) {
      closing ??= close(limitMs);
      return closing;
    },
  };
}

function serviceEntry(
  operation: string,
  outcome: AuditEntry['outcome'],
  details: Readonly<Record<string, string | number>>,
): AuditEntry {
  return { time: new Date(), requestId: randomUUID(), protocol: 'service', operation, outcome, details };
}

async function recordRepair(audit: Audit, { chain, file, end, droppedBytes, done }: Repair): Promise<void> {
  const reservation = await audit.reserve(recordBound(0));
  const details = { chain, file, sequence: end.sequence, hash: end.hash, droppedBytes };
  await reservation.record(serviceEntry('RepairAuditFile', done ? 'ok' : 'refused', details));
}
