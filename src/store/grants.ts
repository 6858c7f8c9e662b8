import type { Kysely, Selectable, Transaction } from 'kysely';
import { withLockedKey } from './key-lock';
import type { Database, GrantsTable } from './schema';

export type GrantRow = Selectable<GrantsTable>;
export type NewGrant = Omit<GrantRow, 'created_at'>;

/** Which grants, and from where. */
export interface GrantFilter {
  readonly limit: number;
  /** The id after which the page begins. */
  readonly after?: string;
  readonly keyId?: string;
  readonly grantId?: string;
  readonly granteePrincipal?: string;
  readonly retiringPrincipal?: string;
}

export interface GrantRepository {
  /**
   * Makes a grant, unless it has a name and the key has one that is the same in all but its id.
   *
   * @returns the id of the grant that there is now, which may be an older one's; undefined where the key has `limit`
   */
  create(grant: NewGrant, limit: number): Promise<string | undefined>;
  find(id: string): Promise<GrantRow | undefined>;
  /** Which of these ids are a grant's. */
  existing(ids: readonly string[]): Promise<string[]>;
  /** In the order of their ids. */
  list(filter: GrantFilter): Promise<GrantRow[]>;
  /** Whether the key had such a grant. */
  remove(keyId: string, id: string): Promise<boolean>;
}

export function grantRepository(db: Kysely<Database>): GrantRepository {
  return {
    create: (grant, limit) =>
      withLockedKey(db, grant.key_id, async (tx) => {
        const same = grant.name === null ? undefined : await findSame(tx, grant);
        if (same !== undefined) return same;
        if ((await countOf(tx, grant.key_id)) >= limit) return undefined;
        await tx
          .insertInto('grants')
          .values({ ...grant, created_at: Date.now() })
          .execute();
        return grant.id;
      }),

    find: (id) => db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirst(),

    async existing(ids) {
      const rows = await db.selectFrom('grants').select('id').where('id', 'in', ids).execute();
      return rows.map(({ id }) => id);
    },

    list({ limit, after = '', keyId, grantId, granteePrincipal, retiringPrincipal }) {
      let page = db.selectFrom('grants').selectAll().where('id', '>', after).orderBy('id').limit(limit);
      if (keyId !== undefined) page = page.where('key_id', '=', keyId);
      if (grantId !== undefined) page = page.where('id', '=', grantId);
      if (granteePrincipal !== undefined) page = page.where('grantee_principal', '=', granteePrincipal);
      if (retiringPrincipal !== undefined) page = page.where('retiring_principal', '=', retiringPrincipal);
      return page.execute();
    },

    async remove(keyId, id) {
      const { numDeletedRows } = await db
        .deleteFrom('grants')
        .where('key_id', '=', keyId)
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

async function findSame(tx: Transaction<Database>, grant: NewGrant): Promise<string | undefined> {
  const named = await tx
    .selectFrom('grants')
    .selectAll()
    .where('key_id', '=', grant.key_id)
    .where('name', '=', grant.name)
    .orderBy('id')
    .execute();
  const columns = ['grantee_principal', 'retiring_principal', 'operations', 'constraints'] as const;
  return named.find((row) => columns.every((column) => row[column] === grant[column]))?.id;
}

async function countOf(tx: Transaction<Database>, keyId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('grants')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('key_id', '=', keyId)
    .executeTakeFirstOrThrow();
  return Number(count);
}
