import { type Expression, type Kysely, PostgresAdapter, sql } from 'kysely';

/**
 * The type of a column that listings are ordered by: the order of its bytes, as SQLite has it by itself. PostgreSQL
 * would sort by the language of the database.
 */
export function orderedText(db: Kysely<unknown>): 'text' | Expression<unknown> {
  return db.getExecutor().adapter instanceof PostgresAdapter ? sql`text collate "C"` : 'text';
}
