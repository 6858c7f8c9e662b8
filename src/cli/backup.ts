/** `p11kms backup FILE`: a copy of the store, also while the service runs. */
import { loadStoreConfig } from '../config/load';
import { StartError } from '../errors';
import { backUpSqlite } from '../store/backup';

const PROGRESS_AFTER_MS = 1_000;
const PROGRESS_EVERY_MS = 200;

/**
 * Backs the store up and says what was backed up.
 *
 * @throws StartError
 */
export async function backup(file: string): Promise<void> {
  const { dataDir, database } = loadStoreConfig(process.env);
  if (database) {
    throw new StartError(
      `the store is in ${database.name}: back it up with pg_dump (p11kms backup is for a store in the data directory)`,
    );
  }
  const interrupted = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => interrupted.abort());
  const progress = createProgress();
  try {
    const { signal } = interrupted;
    const { storeId, keys, bytes } = await backUpSqlite(dataDir, file, { signal, onProgress: progress.show });
    progress.clear();
    const what = `store ${storeId}: ${keys} ${keys === 1 ? 'key' : 'keys'}, ${bytes} bytes`;
    process.stdout.write(`backed up ${what}, to ${file}\n`);
  } finally {
    progress.clear();
  }
}

/** One line that changes, for a person who waits: only at a terminal, and not where it is over in a moment. */
function createProgress(): { show(done: number): void; clear(): void } {
  let due = performance.now() + PROGRESS_AFTER_MS;
  let shown = false;
  return {
    show(done) {
      if (!process.stderr.isTTY || performance.now() < due) return;
      due = performance.now() + PROGRESS_EVERY_MS;
      shown = true;
      process.stderr.write(`\r${Math.floor(done * 100)} % copied`);
    },
    clear() {
      if (shown) process.stderr.write('\r\x1b[K');
      shown = false;
    },
  };
}
