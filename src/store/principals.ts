import type { Kysely, Transaction } from 'kysely';
import {
  type AccessKeyRow,
  findPrincipal,
  locked,
  type PrincipalRow,
  rowsOf,
  withDetails,
} from './principal-rows';
import type { Database } from './schema';

export type NewAccessKey = Pick<AccessKeyRow, 'id' | 'sealed_secret'>;

/** The name of the account's root principal. */
export const ROOT = 'root';
/** IAM's quota: two access keys, so that they can be rotated. */
export const MAX_ACCESS_KEYS = 2;
/** IAM's quota of policies attached to a user. */
export const MAX_POLICIES = 10;

/** Names are not told apart by the case of their letters. */
export interface PrincipalRepository {
  find(name: string): Promise<PrincipalRow | undefined>;
  /** Who has, or had, the access key. */
  findByAccessKey(id: string): Promise<{ accessKey: AccessKeyRow; principal: PrincipalRow } | undefined>;
  /** @param subject as it was normalised when it was stored */
  findByCertificate(subject: string): Promise<PrincipalRow | undefined>;
  /** All, in the order of their names. */
  list(): Promise<PrincipalRow[]>;
  /** Whether there was no root principal yet. */
  createRoot(accessKey: NewAccessKey): Promise<boolean>;
  create(
    principal: { readonly name: string; readonly certificateSubject?: string },
    accessKey?: NewAccessKey,
  ): Promise<'done' | 'name-taken' | 'certificate-taken' | 'no-root'>;
  /** With its access keys, client keys and policies. Never the root principal. Whether there was one. */
  remove(name: string): Promise<boolean>;
  /**
   * Gives a principal another access key; those that it has end at the time, unless they end before, or at once where
   * there is none. What has expired goes.
   */
  addAccessKey(
    name: string,
    accessKey: NewAccessKey,
    othersEndAt?: number,
  ): Promise<'done' | 'missing' | 'full'>;
  /** Attaches a policy, in the place of one of the same name. */
  attachPolicy(name: string, policy: string, document: string): Promise<'done' | 'missing' | 'full'>;
  /** Whether the principal had such a policy. */
  detachPolicy(name: string, policy: string): Promise<boolean>;
}

export function principalRepository(db: Kysely<Database>): PrincipalRepository {
  return {
    find: (name) => findPrincipal(db, name),

    async findByAccessKey(id) {
      const accessKey = await db
        .selectFrom('access_keys')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      if (!accessKey) return undefined;
      const principal = await findPrincipal(db, accessKey.principal);
      return principal && { accessKey, principal };
    },

    async findByCertificate(subject) {
      const named = db.selectFrom('principals').selectAll().where('certificate_subject', '=', subject);
      const [principal] = await withDetails(db, await named.execute());
      return principal;
    },

    async list() {
      return withDetails(db, await db.selectFrom('principals').selectAll().orderBy('name').execute());
    },

    createRoot: (accessKey) => createRoot(db, accessKey),

    create: (principal, accessKey) =>
      // Whoever makes one holds the root's row, so that what is looked up here stays true until it is done.
      locked(db, ROOT, 'no-root' as const, (tx) => create(tx, principal, accessKey)),

    remove: (name) => locked(db, name, false, remove),

    addAccessKey: (name, accessKey, othersEndAt) =>
      locked(db, name, 'missing' as const, (tx, principal) =>
        addAccessKey(tx, principal, accessKey, othersEndAt),
      ),

    attachPolicy: (name, policy, document) =>
      locked(db, name, 'missing' as const, (tx, principal) => attachPolicy(tx, principal, policy, document)),

    async detachPolicy(name, policy) {
      const removed = await db
        .deleteFrom('principal_policies')
        .where(({ fn }) => fn<string>('lower', ['principal']), '=', name.toLowerCase())
        .where('name', '=', policy)
        .executeTakeFirst();
      return removed.numDeletedRows === 1n;
    },
  };
}

function createRoot(db: Kysely<Database>, accessKey: NewAccessKey): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('principals')
      .values({ name: ROOT, kind: 'root', created_at: Date.now() })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n) return false;
    await insertAccessKey(tx, ROOT, accessKey);
    return true;
  });
}

async function create(
  tx: Transaction<Database>,
  { name, certificateSubject }: { readonly name: string; readonly certificateSubject?: string },
  accessKey: NewAccessKey | undefined,
): Promise<'done' | 'name-taken' | 'certificate-taken'> {
  if (await rowsOf(tx, name).executeTakeFirst()) return 'name-taken';
  if (certificateSubject !== undefined) {
    const same = tx.selectFrom('principals').select('name');
    if (await same.where('certificate_subject', '=', certificateSubject).executeTakeFirst())
      return 'certificate-taken';
  }
  await tx
    .insertInto('principals')
    .values({ name, kind: 'user', certificate_subject: certificateSubject, created_at: Date.now() })
    .execute();
  if (accessKey) await insertAccessKey(tx, name, accessKey);
  return 'done';
}

async function remove(tx: Transaction<Database>, name: string): Promise<boolean> {
  if (name === ROOT) return false;
  await tx.deleteFrom('principal_policies').where('principal', '=', name).execute();
  await tx.deleteFrom('access_keys').where('principal', '=', name).execute();
  await tx.deleteFrom('client_keys').where('principal', '=', name).execute();
  await tx.deleteFrom('principals').where('name', '=', name).execute();
  return true;
}

async function addAccessKey(
  tx: Transaction<Database>,
  principal: string,
  accessKey: NewAccessKey,
  othersEndAt: number | undefined,
): Promise<'done' | 'full'> {
  const ended = tx.deleteFrom('access_keys').where('principal', '=', principal);
  if (othersEndAt === undefined) {
    await ended.execute();
  } else {
    await ended.where('expires_at', '<=', Date.now()).execute();
    const { count } = await tx
      .selectFrom('access_keys')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('principal', '=', principal)
      .executeTakeFirstOrThrow();
    if (count >= MAX_ACCESS_KEYS) return 'full';
    await tx
      .updateTable('access_keys')
      .set({ expires_at: othersEndAt })
      .where('principal', '=', principal)
      .where((key) => key.or([key('expires_at', 'is', null), key('expires_at', '>', othersEndAt)]))
      .execute();
  }
  await insertAccessKey(tx, principal, accessKey);
  return 'done';
}

async function insertAccessKey(
  tx: Transaction<Database>,
  principal: string,
  accessKey: NewAccessKey,
): Promise<void> {
  await tx
    .insertInto('access_keys')
    .values({ ...accessKey, principal, created_at: Date.now() })
    .execute();
}

async function attachPolicy(
  tx: Transaction<Database>,
  principal: string,
  name: string,
  document: string,
): Promise<'done' | 'full'> {
  const { count } = await tx
    .selectFrom('principal_policies')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('principal', '=', principal)
    .where('name', '<>', name)
    .executeTakeFirstOrThrow();
  if (count >= MAX_POLICIES) return 'full';
  await tx
    .insertInto('principal_policies')
    .values({ principal, name, document })
    .onConflict((conflict) => conflict.columns(['principal', 'name']).doUpdateSet({ document }))
    .execute();
  return 'done';
}
