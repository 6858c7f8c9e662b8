import type { Kysely, Selectable } from 'kysely';
import { findPrincipal, locked, type PrincipalRow } from './principal-rows';
import type { ClientKeysTable, Database } from './schema';

export type ClientKeyRow = Selectable<ClientKeysTable>;

export type NewClientKey = Omit<ClientKeyRow, 'principal'>;

export interface ClientKeyRepository {
  /** The client key, expired or not, and whose it is. */
  find(id: string): Promise<{ clientKey: ClientKeyRow; principal: PrincipalRow } | undefined>;
  /**
   * Those that have expired among them, in the order of their principals' names, oldest first.
   *
   * @param principal whose alone, by the name as the store has it; else everybody's
   */
  list(principal?: string): Promise<ClientKeyRow[]>;
  /** @param principal by name, in whatever case of its letters */
  create(principal: string, clientKey: NewClientKey): Promise<'done' | 'missing'>;
  /** Whether there was one. */
  remove(id: string): Promise<boolean>;
}

export function clientKeyRepository(db: Kysely<Database>): ClientKeyRepository {
  return {
    async find(id) {
      const clientKey = await db
        .selectFrom('client_keys')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      if (!clientKey) return undefined;
      const principal = await findPrincipal(db, clientKey.principal);
      return principal && { clientKey, principal };
    },

    list(principal) {
      const all = db.selectFrom('client_keys').selectAll();
      const wanted = principal === undefined ? all : all.where('principal', '=', principal);
      return wanted.orderBy('principal').orderBy('created_at').orderBy('id').execute();
    },

    create: (name, clientKey) =>
      locked(db, name, 'missing' as const, async (tx, principal) => {
        await tx
          .insertInto('client_keys')
          .values({ ...clientKey, principal })
          .execute();
        return 'done' as const;
      }),

    async remove(id) {
      const { numDeletedRows } = await db.deleteFrom('client_keys').where('id', '=', id).executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}
