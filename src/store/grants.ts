import type { Kysely, Selectable, Transaction } from 'kysely';
import { withLockedKey } from './key-lock';
import type { Database, GrantsTable } from './schema';

export type GrantRow = Selectable<GrantsTable>;
export type NewGrant = Omit<GrantRow, 'created_at'>;

/** A grant, as far as it decides on access. */
export type Permission = Pick<GrantRow, 'grantee_principal' | 'operations' | 'constraints'>;

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

/** The id of a grant, which may be an older one's. */
export interface Created {
  readonly id: string;
}

export interface GrantRepository {
  /**
   * Makes a grant on an enabled key that has fewer than `limit`. One with a name that is the same as another in all
   * but its id is not made: the other stands for it.
   */
  create(grant: NewGrant, limit: number): Promise<Created | 'too-many' | 'forbidden'>;
  find(id: string): Promise<GrantRow | undefined>;
  /** Which of these ids are a grant's. */
  existing(ids: readonly string[]): Promise<string[]>;
  /** What a key's grants allow these principals. */
  to(keyId: string, granteePrincipals: readonly string[]): Promise<Permission[]>;
  /** In the order of their ids. */
  list(filter: GrantFilter): Promise<GrantRow[]>;
  /** Whether the key had such a grant. */
  remove(keyId: string, id: string): Promise<boolean>;
}

export function grantRepository(db: Kysely<Database>): GrantRepository {
  return {
    async create(grant, limit) {
      const outcome = await withLockedKey(db, grant.key_id, ['enabled'], async (tx) => {
        const same = grant.name === null ? undefined : await findSame(tx, grant);
        if (same) return same;
        if ((await countOf(tx, grant.key_id)) >= limit) return 'too-many';
        await tx
          .insertInto('grants')
          .values({ ...grant, created_at: Date.now() })
          .execute();
        return { id: grant.id };
      });
      return outcome ?? 'forbidden';
    },

    find: (id) => db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirst(),

    async existing(ids) {
      const rows = await db.selectFrom('grants').select('id').where('id', 'in', ids).execute();
      return rows.map(({ id }) => id);
    },

    // A key may have very many grants, and a principal the same one again and again.
    to: (keyId, granteePrincipals) =>
      db
        .selectFrom('grants')
        .select(['grantee_principal', 'operations', 'constraints'])
        .distinct()
        .where('key_id', '=', keyId)
        .where('grantee_principal', 'in', granteePrincipals)
        .execute(),

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

/** There is one at most, because no other is made while it is there; those of its name can be many. */
const findSame = (tx: Transaction<Database>, grant: NewGrant): Promise<Created | undefined> =>
  tx
    .selectFrom('grants')
    .select('id')
    .where('key_id', '=', grant.key_id)
    .where('name', '=', grant.name)
    .where('grantee_principal', '=', grant.grantee_principal)
    .where('retiring_principal', 'is not distinct from', grant.retiring_principal)
    .where('operations', '=', grant.operations)
    .where('constraints', 'is not distinct from', grant.constraints)
    .limit(1)
    .executeTakeFirst();

async function countOf(tx: Transaction<Database>, keyId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('grants')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('key_id', '=', keyId)
    .executeTakeFirstOrThrow();
  return Number(count);
}
