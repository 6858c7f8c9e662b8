import { setTimeout as sleep } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import type { PutAuditHead } from './engine';

const PUT = `
  insert into audit_chains (id, sequence, hash, started_at) values (?, ?, ?, ?)
  on conflict (id) do update set sequence = excluded.sequence, hash = excluded.hash
  where audit_chains.sequence < excluded.sequence`;

const RETRY_MS = 2;
const TRIES = 25;

/**
 * The heads of audit chains through a connection of their own, which leaves it to the operating system when they come to
 * the disk: the records are there already, and a head that is behind does no harm.
 */
export function auditHeads(file: string): { readonly put: PutAuditHead; close(): void } {
  // Not to wait for the lock: it may be this process that holds it, in a transaction that goes on when we are done.
  const database = new SQLite(file, { timeout: 0 });
  database.pragma('synchronous = NORMAL');
  const statement = database.prepare<[string, number, string, number]>(PUT);
  return {
    async put(chain, sequence, hash) {
      for (let tries = 1; ; tries++) {
        try {
          statement.run(chain, sequence, hash, Date.now());
          return;
        } catch (error) {
          const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
          if (!isBusy || tries === TRIES) throw error;
        }
        await sleep(RETRY_MS);
      }
    },
    close: () => void database.close(),
  };
}
