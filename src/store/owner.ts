import { statSync } from 'node:fs';
import { StartError } from '../errors';
import { storeFile } from './sqlite';

/**
 * Keeps root from leaving files in a data directory that the service's user could then not open.
 *
 * @throws StartError where root works for a directory that is another user's
 */
export function assertOwner(dataDir: string): void {
  if (process.geteuid?.() !== 0) return;
  const found =
    statSync(storeFile(dataDir), { throwIfNoEntry: false }) ?? statSync(dataDir, { throwIfNoEntry: false });
  if (!found || found.uid === 0) return;
  throw new StartError(
    `the store in ${dataDir} belongs to the user ${found.uid}: run this as that user, who could not open what root makes`,
  );
}
