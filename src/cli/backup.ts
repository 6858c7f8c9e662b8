/** `p11kms backup FILE`: a copy of the store, also while the service runs. */
import { loadStoreConfig } from '../config/load';
import { StartError } from '../errors';
import { backUpSqlite } from '../store/backup';
import { createProgress } from './progress';

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
  const progress = createProgress('copied');
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
