import { adjustmentsOf, differences, keysAfter } from '../../../src/kms/recovery';
import { DAY_MS } from '../../../src/store/keys';
import type { StoreContents } from '../../../src/store/recovery';

type KeyRow = StoreContents['keys'][number];
type VersionRow = StoreContents['versions'][number];

const NOW = Date.UTC(2030, 0, 31);
const BOUND = 1_000_000;
const STORE: StoreContents['store'] = {
  singleton: 1,
  id: '0123456789ab',
  service_key_object: 'service',
  service_key_state: 'active',
  created_at: NOW - 100 * DAY_MS,
  usage_tracked_since: NOW - 100 * DAY_MS,
  heartbeat_ms: 5_000,
  heartbeat_at: NOW - 10_000,
  audit_key_object: null,
  audit_key_state: null,
  audit_public_key: null,
};

const key = (id: string, values: Partial<KeyRow> = {}): KeyRow => ({
  id,
  state: 'enabled',
  description: '',
  policy: null,
  current_version: 1,
  last_version: 1,
  created_at: NOW - 50 * DAY_MS,
  deletion_window_days: null,
  deletion_at: null,
  deletion_heartbeat: null,
  rotation_period_days: null,
  next_rotation_at: null,
  ...values,
});

const version = (key_id: string, number = 1, values: Partial<VersionRow> = {}): VersionRow => ({
  key_id,
  number,
  state: 'active',
  encrypt_object: `${key_id}-${number}-e`,
  wrap_object: `${key_id}-${number}-w`,
  created_at: NOW - 50 * DAY_MS,
  rotation: null,
  rotated_at: null,
  gcm_calls: 0,
  ...values,
});

/** What the token has of a version. */
const objects = (key_id: string, number = 1) =>
  (['encrypt', 'wrap'] as const).map((role) => ({
    id: `${key_id}-${number}-${role.charAt(0)}`,
    label: `p11kms/${STORE.id}/${key_id}/${number}/${role}`,
  }));
const SERVICE_KEY = { id: 'service', label: `p11kms/${STORE.id}/service` };

function contents(keys: KeyRow[], versions: VersionRow[], store: Partial<typeof STORE> = {}): StoreContents {
  return { store: { ...STORE, ...store }, keys, versions };
}

const idsOf = (found: readonly { readonly id: string }[]) => new Set(found.map(({ id }) => id));
const adjust = (given: StoreContents, onToken = new Set<string>()) =>
  adjustmentsOf(given, onToken, { now: NOW, bound: BOUND });

describe('differences between a restored store and its token', () => {
  it('are none where each has what the other has', () => {
    const given = contents([key('a')], [version('a'), version('a', 2)]);
    const onToken = [SERVICE_KEY, ...objects('a'), ...objects('a', 2)];
    expect(differences(given, onToken)).toEqual({ onlyOnToken: [], onlyInStore: [] });
  });

  it('are the keys and versions that the token has and the store lacks', () => {
    const given = contents([key('a'), key('d', { state: 'deleted' })], [version('a')]);
    const strange = { id: 'x', label: `p11kms/${STORE.id}/something` };
    const onToken = [
      SERVICE_KEY,
      strange,
      ...objects('new'),
      ...objects('d'),
      ...objects('a', 2),
      ...objects('a'),
    ];
    expect(differences(given, onToken)).toEqual({
      onlyOnToken: [
        { keyId: 'a', version: 2, keyState: 'enabled', objects: ['a-2-e', 'a-2-w'] },
        { keyId: 'd', version: 1, keyState: 'deleted', objects: ['d-1-e', 'd-1-w'] },
        { keyId: 'new', version: 1, objects: ['new-1-e', 'new-1-w'] },
        { keyId: strange.label, objects: ['x'] },
      ],
      onlyInStore: [],
    });
  });

  it('go by CKA_ID, not by label: a version that was made twice is two', () => {
    const given = contents(
      [key('a')],
      [version('a', 1, { encrypt_object: 'other-e', wrap_object: 'other-w' })],
    );
    const { onlyOnToken, onlyInStore } = differences(given, [SERVICE_KEY, ...objects('a')]);
    expect(onlyOnToken).toMatchObject([{ keyId: 'a', version: 1 }]);
    expect(onlyInStore).toMatchObject([{ keyId: 'a', version: 1, missing: ['other-e', 'other-w'] }]);
  });

  it('are the keys and versions that the store has and the token lacks, also where half of one is there', () => {
    const created_at = NOW - DAY_MS;
    const given = contents(
      [key('a'), key('b', { state: 'pending_deletion' })],
      [version('a'), version('a', 2, { created_at }), version('b')],
    );
    const [encrypt] = objects('b');
    const onToken = [SERVICE_KEY, ...objects('a'), ...(encrypt ? [encrypt] : [])];
    expect(differences(given, onToken)).toEqual({
      onlyOnToken: [],
      onlyInStore: [
        {
          keyId: 'a',
          version: 2,
          keyState: 'enabled',
          createdAt: new Date(created_at),
          missing: ['a-2-e', 'a-2-w'],
        },
        {
          keyId: 'b',
          version: 1,
          keyState: 'pending_deletion',
          createdAt: new Date(NOW - 50 * DAY_MS),
          missing: ['b-1-w'],
        },
      ],
    });
  });

  it('are not what was being made, removed or destroyed at the time of the backup', () => {
    const given = contents(
      [key('a'), key('b', { state: 'creating' }), key('c', { state: 'deleting' })],
      [
        version('a'),
        version('a', 2, { state: 'removing' }),
        version('b', 1, { state: 'creating' }),
        version('c'),
      ],
    );
    const onToken = [SERVICE_KEY, ...objects('a'), ...objects('a', 2), ...objects('b')];
    expect(differences(given, onToken)).toEqual({ onlyOnToken: [], onlyInStore: [] });
  });
});

describe('the counters of AES-GCM calls in a restored store', () => {
  it('skip 20,000 calls for every second, or part of one, since the last heartbeat', () => {
    const { gcmCalls } = adjust(contents([], [], { heartbeat_at: NOW - 9_001 }));
    expect(gcmCalls).toEqual({ skipped: 200_000, bound: BOUND });
  });

  it.each([
    ['no heartbeat is known', null],
    ['the last heartbeat lies ahead', NOW + 1],
    ['the last heartbeat is long ago', NOW - 365 * DAY_MS],
  ])('go to the bound where %s', (_why, heartbeat_at) => {
    expect(adjust(contents([], [], { heartbeat_at })).gcmCalls.skipped).toBe(BOUND);
  });

  it('make those keys rotate whose current version comes to the bound', () => {
    const given = contents(
      [key('near'), key('far'), key('rotated', { current_version: 2 }), key('gone', { state: 'deleted' })],
      [
        version('near', 1, { gcm_calls: BOUND - 200_000 }),
        version('far', 1, { gcm_calls: BOUND - 200_001 }),
        version('rotated', 1, { gcm_calls: BOUND }),
        version('rotated', 2),
      ],
    );
    expect(keysAfter(given, adjust(given))).toEqual({ total: 3, toRotate: 1 });
  });
});

describe('deletions in a restored store', () => {
  it('wait again for their whole window, by the clock and in heartbeats, those under way excepted', () => {
    const given = contents(
      [
        key('a', {
          state: 'pending_deletion',
          deletion_window_days: 7,
          deletion_at: NOW - 1,
          deletion_heartbeat: 1,
        }),
        key('b', { state: 'deleting', deletion_window_days: 7, deletion_at: NOW - 1, deletion_heartbeat: 1 }),
      ],
      [version('a'), version('b')],
    );
    expect(adjust(given).deletions).toEqual([
      { keyId: 'a', at: NOW + 7 * DAY_MS, heartbeat: 5_000 + 7 * DAY_MS },
    ]);
  });
});

describe('versions that were being made at the time of the backup', () => {
  const creating = (key_id: string, number: number, created_at = NOW - 60_000) =>
    version(key_id, number, { state: 'creating', created_at });

  it('are finished where both objects are on the token, and forgotten otherwise', () => {
    const given = contents(
      [key('a', { state: 'creating' }), key('b', { state: 'creating' }), key('c')],
      [creating('a', 1), creating('b', 1), version('c'), creating('c', 2)],
    );
    const half = objects('b')[0];
    const onToken = idsOf([...objects('a'), ...objects('c'), ...(half ? [half] : [])]);
    expect(adjust(given, onToken)).toMatchObject({
      finish: [{ version: { keyId: 'a', number: 1 } }],
      forget: [
        { keyId: 'b', number: 1 },
        { keyId: 'c', number: 2 },
      ],
    });
  });

  it.each([
    ['on demand', {}, 0, { cause: 'on_demand' }],
    [
      'automatically, with the next one a period later',
      { rotation_period_days: 90, next_rotation_at: NOW - 60_000 },
      0,
      { cause: 'automatic', nextAt: NOW - 60_000 + 90 * DAY_MS },
    ],
    ['because the version before was exhausted', {}, BOUND, { cause: 'exhausted' }],
  ])('count as rotations made %s', (_how, values, gcm_calls, expected) => {
    const given = contents([key('a', values)], [version('a', 1, { gcm_calls }), creating('a', 2)]);
    const { finish } = adjust(given, idsOf([...objects('a'), ...objects('a', 2)]));
    expect(finish).toEqual([
      { version: { keyId: 'a', number: 2 }, rotation: { from: 1, ...expected, at: NOW - 60_000 } },
    ]);
  });

  it('are left alone where they were being removed, or their key destroyed', () => {
    const given = contents(
      [key('a'), key('b', { state: 'deleting' })],
      [version('a'), version('a', 2, { state: 'removing' }), version('b'), creating('b', 2)],
    );
    const { finish, forget } = adjust(given, idsOf([...objects('a', 2), ...objects('b', 2)]));
    expect({ finish, forget }).toEqual({ finish: [], forget: [] });
  });
});
