/** Room that was promised for records, and is not used yet: a chain ends when there is none left of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chain } from './chain';
import { type AuditEntry, entryMembers, recordBound } from './entry';
import { refusal } from './space';

/** Room on disk for one record. Whoever has it calls `record` or `release`: a chain waits for that when it is closed. */
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

export interface Reservations {
  /** As `Audit.reserve`. */
  readonly reserve: (bytes: number) => Promise<Reservation>;
  /**
   * Makes no more, and waits until there is a record of each that was made, so many milliseconds at most. What comes
   * later is refused.
   *
   * @param missing what is to be recorded of so many that were not used
   */
  end(limitMs: number, missing: (count: number) => AuditEntry): Promise<void>;
}

const closed = () => refusal('the audit log is closed.');

export function openReservations(lines: Chain): Reservations {
  let state: 'open' | 'ending' | 'closed' = 'open';
  const open = new Set<Reservation>();
  let onNone: () => void = () => undefined;

  function settle(reservation: Reservation): void {
    open.delete(reservation);
    if (open.size === 0) onNone();
  }

  function reservationOf(bytes: number): Reservation {
    let isUsed = false;
    const reservation: Reservation = {
      async record(entry) {
        if (state === 'closed') throw closed();
        if (isUsed) throw new Error('a reservation is for one record');
        const members = entryMembers(entry, bytes);
        isUsed = true;
        const added = lines.add(members, bytes);
        settle(reservation);
        await added;
      },
      release() {
        if (isUsed) return;
        isUsed = true;
        lines.giveBack(bytes);
        settle(reservation);
      },
    };
    open.add(reservation);
    return reservation;
  }

  return {
    async reserve(wanted) {
      if (state !== 'open') throw closed();
      const bytes = Math.max(wanted, recordBound(0));
      await lines.reserve(bytes);
      if (state === 'open') return reservationOf(bytes);
      lines.giveBack(bytes);
      throw closed();
    },
    async end(limitMs, missing) {
      state = 'ending';
      const none = new Promise<void>((resolve) => {
        onNone = resolve;
      });
      if (open.size > 0) await Promise.race([none, sleep(limitMs, undefined, { ref: false })]);
      const [left] = open;
      // What cannot be written now is found missing when the chain is to end.
      if (left) await left.record(missing(open.size)).catch(() => undefined);
      state = 'closed';
    },
  };
}
