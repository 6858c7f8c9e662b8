import type SQLite from 'better-sqlite3';

/**
 * Looks through a whole database of SQLite.
 *
 * @returns the id of the store that it holds
 * @throws where it is damaged, or not a store of p11kms
 */
export function assertSound(database: SQLite.Database): string {
  const [finding] = database.pragma('integrity_check(1)') as { integrity_check: string }[];
  if (finding?.integrity_check !== 'ok') throw new Error(`it is damaged: ${finding?.integrity_check}`);
  const tables = database
    .prepare(
      "select count(*) from sqlite_schema where type = 'table' and name in ('store', 'keys', 'key_versions')",
    )
    .pluck()
    .get();
  const id = tables === 3 ? database.prepare('select id from store').pluck().get() : undefined;
  if (typeof id !== 'string') throw new Error('it is not a store of p11kms');
  return id;
}
