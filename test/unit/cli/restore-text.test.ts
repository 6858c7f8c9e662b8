import type { Restoration } from '../../../src/cli/restoration';
import { restoreText } from '../../../src/cli/restore-text';

const KEY = '322100ca-eee0-46ce-bb1f-9cd9e2728c45';
const OTHER = '4ba90d53-4f0a-4deb-a240-b099c0207fdc';

const AGREED: Restoration = {
  restored: true,
  check: false,
  yes: false,
  store: { id: '0123456789ab', from: 'backup', lastHeartbeat: new Date('2030-01-31T12:00:00.500Z') },
  previousStore: '/data/p11kms.sqlite.before-restore-2030',
  onlyOnToken: [],
  onlyInStore: [],
  keys: { total: 2, toRotate: 0 },
  deletions: [],
  finished: [],
  forgotten: [],
};

const DIFFERENT: Restoration = {
  ...AGREED,
  restored: false,
  onlyOnToken: [
    { keyId: KEY, version: 2, keyState: 'pending_deletion', objects: ['a', 'b'] },
    { keyId: OTHER, version: 1, objects: ['c', 'd'] },
    { keyId: 'p11kms/0123456789ab/odd', objects: ['e'] },
  ],
  onlyInStore: [
    {
      keyId: OTHER,
      version: 3,
      keyState: 'enabled',
      createdAt: new Date('2030-01-02T03:04:05Z'),
      missing: ['f', 'g'],
    },
  ],
};

describe('restoreText', () => {
  it('is short where there is nothing to say', () => {
    expect(restoreText(AGREED)).toBe(`Store
  id           0123456789ab
  from         backup
  last in use  2030-01-31 12:00:00 UTC

Keys
  2 keys; none is due for rotation by its count of AES-GCM calls

Principals
  those of the backup: access keys and client keys that were deleted or rotated after it work again

The store that was there
  /data/p11kms.sqlite.before-restore-2030

The store is restored. The service can be started.
`);
  });

  it('shows the chains of the audit record that the backup does not know', () => {
    const chains = { takenOver: 3, adopted: 2, doubtful: ['20300131T120000Z-0123456789ab'] };
    expect(restoreText({ ...AGREED, chains })).toContain(`
The audit record
  2 chains begun after the backup, without fault as far as can be seen: adopted
  20300131T120000Z-0123456789ab is not whole, and was not adopted: see p11kms audit verify
`);
    expect(restoreText({ ...AGREED, chains: { ...chains, adopted: 0, doubtful: [] } })).toBe(
      restoreText(AGREED),
    );
  });

  it('shows what token and store have alone, with what it means', () => {
    const lines = restoreText(DIFFERENT).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'On the token, but not in this store',
        `  KEY                                   VERSION  THE KEY IN THIS STORE`,
        `  ${KEY}  2        pending deletion`,
        `  ${OTHER}  1        unknown`,
        'In this store, but not on the token',
        `  ${OTHER}  3        enabled  2030-01-02 03:04:05 UTC  f g`,
      ]),
    );
    expect(lines.join(' ')).toContain('restore a newer backup if there is one');
  });

  it('shows what was adjusted', () => {
    const text = restoreText({
      ...AGREED,
      keys: { total: 1, toRotate: 1 },
      deletions: [{ keyId: KEY, deletionDate: new Date('2030-02-07T00:00:00Z') }],
      finished: [{ keyId: KEY, version: 2 }],
      forgotten: [{ keyId: OTHER, version: 1 }],
    });
    expect(text).toContain(
      `  KEY                                   NOT BEFORE\n  ${KEY}  2030-02-07 00:00:00 UTC\n`,
    );
    expect(text).toMatch(new RegExp(`on the token: kept\\n.*\\n  ${KEY}  2\n`));
    expect(text).toMatch(new RegExp(`not on the token: forgotten\\n.*\\n  ${OTHER}  1\n`));
    expect(text).toContain('1 key; 1 will be rotated at the next encryption');
  });

  it.each<[string, Partial<Restoration>, string]>([
    [
      'store and token differ',
      { ...DIFFERENT },
      'Nothing was changed, because store and token know different keys',
    ],
    ['they differ, after --yes', { ...DIFFERENT, restored: true }, 'The store is restored.'],
    ['they differ, in a look', { ...DIFFERENT, check: true }, 'This store can be restored with --yes.'],
    [
      'they agree, in a look',
      { restored: false, check: true },
      'Nothing was changed. This store can be restored: ',
    ],
  ])('ends with what happened: %s', (_when, change, verdict) => {
    expect(
      restoreText({ ...AGREED, ...change })
        .trimEnd()
        .split('\n')
        .at(-1),
    ).toContain(verdict);
  });
});
