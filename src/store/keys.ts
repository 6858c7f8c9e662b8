import { type Kysely, type Selectable, sql } from 'kysely';
import type { Database, KeyState, KeysTable, KeyVersionsTable } from './schema';

export interface KeyRow extends Selectable<KeysTable> {
  /** Active ones only, oldest first. */
  readonly versions: readonly Selectable<KeyVersionsTable>[];
}

/** Rows count windows and periods in days, and times in milliseconds. */
export const DAY_MS = 86_400_000;

/** What changes a key: whether it did, which it does not where the key is in a state that forbids it. */
type Change = Promise<boolean>;

export interface KeyRepository {
  /** Keys in the making and tombstones are not found. */
  find(id: string): Promise<KeyRow | undefined>;
  /** Up to `limit` keys in the order of their ids, after `after`. */
  list(limit: number, after?: string): Promise<KeyRow[]>;
  /** Not while the key is pending deletion. */
  setState(id: string, state: 'enabled' | 'disabled'): Change;
  /** Not while the key is pending deletion. */
  setDescription(id: string, description: string): Change;
  /**
   * Of an enabled key only; `undefined` turns rotation off. A key that has this period already keeps its next rotation:
   * asking again must not put it off.
   */
  setRotation(id: string, schedule: { days: number; nextAt: number } | undefined): Change;
  /** No rotation is further away than the key's period: one that is was set by a clock that was ahead. */
  bringBackRotations(now: number): Promise<void>;
  /** Enabled keys whose automatic rotation is due. */
  dueForRotation(now: number): Promise<string[]>;
}

/** The states of a key that clients can see. */
const VISIBLE: readonly KeyState[] = ['enabled', 'disabled', 'pending_deletion', 'deleting'];
/** The states in which a key can be changed. */
export const CHANGEABLE: readonly KeyState[] = ['enabled', 'disabled'];

export function keyRepository(db: Kysely<Database>): KeyRepository {
  const visible = db.selectFrom('keys').selectAll().where('state', 'in', VISIBLE);

  const update = async (
    id: string,
    states: readonly KeyState[],
    values: Partial<Pick<Selectable<KeysTable>, 'state' | 'description'>>,
  ): Change => {
    const { numUpdatedRows } = await db
      .updateTable('keys')
      .set(values)
      .where('id', '=', id)
      .where('state', 'in', states)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  };

  return {
    async find(id) {
      const [key] = await withVersions(db, () => visible.where('id', '=', id).execute());
      return key;
    },

    list: (limit, after = '') =>
      withVersions(db, () => visible.where('id', '>', after).orderBy('id').limit(limit).execute()),

    setState: (id, state) => update(id, CHANGEABLE, { state }),

    setDescription: (id, description) => update(id, CHANGEABLE, { description }),

    setRotation: (id, schedule) => setRotation(db, id, schedule),

    async bringBackRotations(now) {
      // In 64 bits: the days of a period are more milliseconds than fit into 32.
      const furthest = sql<number>`${now} + cast(rotation_period_days as bigint) * ${DAY_MS}`;
      await db
        .updateTable('keys')
        .set({ next_rotation_at: furthest })
        .where('next_rotation_at', '>', furthest)
        .execute();
    },

    async dueForRotation(now) {
      const rows = await db
        .selectFrom('keys')
        .select('id')
        .where('state', '=', 'enabled')
        .where('next_rotation_at', '<=', now)
        .execute();
      return rows.map(({ id }) => id);
    },
  };
}

async function setRotation(
  db: Kysely<Database>,
  id: string,
  schedule: { readonly days: number; readonly nextAt: number } | undefined,
): Change {
  const { numUpdatedRows } = await db
    .updateTable('keys')
    .set((eb) => ({
      rotation_period_days: schedule?.days ?? null,
      next_rotation_at: schedule
        ? eb
            .case()
            .when(eb('rotation_period_days', '=', schedule.days))
            .then(eb.ref('next_rotation_at'))
            .else(schedule.nextAt)
            .end()
        : null,
    }))
    .where('id', '=', id)
    .where('state', '=', 'enabled')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

type Rows = readonly Selectable<KeysTable>[];

/** A key that is buried between the two questions to the store has lost its versions: asked again, it is gone. */
async function withVersions(db: Kysely<Database>, read: () => Promise<Rows>): Promise<KeyRow[]> {
  const keys = await joinVersions(db, await read());
  const whole = keys.every((key) => key.versions.some(({ number }) => number === key.current_version));
  return whole ? keys : joinVersions(db, await read());
}

async function joinVersions(db: Kysely<Database>, rows: Rows): Promise<KeyRow[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const versions = await db
    .selectFrom('key_versions')
    .selectAll()
    .where('key_id', 'in', ids)
    .where('state', '=', 'active')
    .orderBy('number')
    .execute();
  return rows.map((row) => ({ ...row, versions: versions.filter(({ key_id }) => key_id === row.id) }));
}
