/** The rows of principals, with what belongs to them, and the lock that their changes share. */
import type { Kysely, Selectable, Transaction } from 'kysely';
import type { AccessKeysTable, Database, PrincipalPoliciesTable, PrincipalsTable } from './schema';

export type AccessKeyRow = Selectable<AccessKeysTable>;

export interface PrincipalRow extends Selectable<PrincipalsTable> {
  /** Oldest first, those that have expired among them. */
  readonly accessKeys: readonly AccessKeyRow[];
  /** In the order of their names. */
  readonly policies: readonly Selectable<PrincipalPoliciesTable>[];
}

/** The principal of the name, in whatever case of its letters. */
export const rowsOf = (db: Kysely<Database>, name: string) =>
  db
    .selectFrom('principals')
    .selectAll()
    .where(({ fn }) => fn<string>('lower', ['name']), '=', name.toLowerCase());

/** Principals with their access keys and policies. */
export async function withDetails(
  db: Kysely<Database>,
  principals: readonly Selectable<PrincipalsTable>[],
): Promise<PrincipalRow[]> {
  if (principals.length === 0) return [];
  const names = principals.map(({ name }) => name);
  const accessKeys = await db
    .selectFrom('access_keys')
    .selectAll()
    .where('principal', 'in', names)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  const policies = await db
    .selectFrom('principal_policies')
    .selectAll()
    .where('principal', 'in', names)
    .orderBy('name')
    .execute();
  const of = <T extends { readonly principal: string }>(rows: readonly T[], name: string) =>
    rows.filter(({ principal }) => principal === name);
  return principals.map((principal) => ({
    ...principal,
    accessKeys: of(accessKeys, principal.name),
    policies: of(policies, principal.name),
  }));
}

/** The principal of the name, in whatever case of its letters, with its access keys and policies. */
export async function findPrincipal(db: Kysely<Database>, name: string): Promise<PrincipalRow | undefined> {
  const [principal] = await withDetails(db, await rowsOf(db, name).execute());
  return principal;
}

/** Runs a transaction that no other of the same principal runs beside, in whatever process. */
export function locked<T, M>(
  db: Kysely<Database>,
  name: string,
  missing: M,
  work: (tx: Transaction<Database>, name: string) => Promise<T>,
): Promise<T | M> {
  return db.transaction().execute(async (tx) => {
    // An update that changes nothing holds the row on every engine.
    await tx
      .updateTable('principals')
      .set(({ ref }) => ({ kind: ref('kind') }))
      .where(({ fn }) => fn<string>('lower', ['name']), '=', name.toLowerCase())
      .execute();
    const principal = await rowsOf(tx, name).executeTakeFirst();
    return principal ? work(tx, principal.name) : missing;
  });
}
