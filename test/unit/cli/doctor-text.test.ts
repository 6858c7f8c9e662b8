import type { Diagnosis } from '../../../src/cli/diagnosis';
import { doctorText } from '../../../src/cli/doctor-text';
import type { TokenReport } from '../../../src/hsm/report';

const REPORT: TokenReport = {
  module: { description: 'Implementation of PKCS11', manufacturer: 'SoftHSM', version: '2.6' },
  token: {
    label: 'p11kms',
    serial: '1a2b3c4d',
    model: 'SoftHSM v2',
    manufacturer: 'SoftHSM',
    firmware: '2.6',
  },
  mechanisms: [
    { name: 'CKM_AES_KEY_GEN', number: 0x1080, found: true },
    { name: 'CKM_AES_GCM', number: 0x1087, found: true, proved: true },
    { name: 'CKM_AES_GCM wrapping', number: 0x1087, found: false },
    { name: 'CKM_AES_KEY_WRAP_PAD', number: 0x210a, found: true, proved: false, note: 'another padding' },
    { name: 'CKM_RSA_PKCS_KEY_PAIR_GEN', number: 0, found: true },
  ],
  specs: [
    { name: 'RSA_2048', works: true },
    { name: 'ECC_SECG_P256K1', works: false, note: 'the curve is not supported' },
  ],
  dialect: { wrapping: 'kwp+gcm', kwpMechanism: 0x210a, ecUnwrapTakesPoint: false },
  canExport: true,
  missing: [],
  limits: { openSessions: 2, maxReadWriteSessions: 64, freePrivateMemory: 1_234_567 },
  warnings: [],
};

const DIAGNOSIS: Diagnosis = {
  canRun: true,
  report: REPORT,
  store: { directory: '/var/lib/p11kms', id: '0123456789ab' },
  unknownObjects: [],
  removed: [],
};

/** The lines from this heading to the next empty one. */
function sectionOf(diagnosis: Diagnosis, heading: string): string[] {
  const lines = doctorText(diagnosis).split('\n');
  const from = lines.indexOf(heading);
  return from < 0 ? [] : lines.slice(from, lines.indexOf('', from));
}

const withReport = (change: Partial<TokenReport>): Diagnosis => ({
  ...DIAGNOSIS,
  report: { ...REPORT, ...change },
});

describe('doctorText', () => {
  it('is a report that a person can read', () => {
    expect(doctorText(DIAGNOSIS)).toBe(`Token
  module  Implementation of PKCS11 2.6 (SoftHSM)
  label   p11kms
  serial  1a2b3c4d
  model   SoftHSM v2 (SoftHSM), firmware 2.6

Limits
  sessions             2 open, no limit told
  read-write sessions  at most 64
  free private memory  1,234,567 bytes
  free public memory   the token does not tell

Mechanisms
  NAME                       NUMBER  STATE    NOTE
  CKM_AES_KEY_GEN            0x1080  found
  CKM_AES_GCM                0x1087  proved
  CKM_AES_GCM wrapping       0x1087  missing
  CKM_AES_KEY_WRAP_PAD       0x210a  FAILED   another padding
  CKM_RSA_PKCS_KEY_PAIR_GEN  0x0000  found

Key pair specs
  SPEC             WORKS  NOTE
  RSA_2048         yes
  ECC_SECG_P256K1  no     the curve is not supported

Wrapping
  private keys are wrapped with  kwp+gcm: RFC 5649 in C_WrapKey, AES-GCM around it
  private keys can be exported   yes, where P11KMS_PRIVATE_KEY_EXPORT allows it

Store
  directory  /var/lib/p11kms
  id         0123456789ab

Objects of this store that no row knows
  none

p11kms can run on this token.
`);
  });

  it('says why p11kms cannot run, and what the token lacks all the same', () => {
    const { dialect: _dialect, ...report } = REPORT;
    const text = doctorText({
      ...DIAGNOSIS,
      canRun: false,
      trouble: 'the token cannot be used: it lacks CKM_AES_GCM encryption',
      report: { ...report, specs: [], canExport: false },
    });
    expect(text).toContain(
      [
        'Wrapping',
        '  private keys are wrapped with  nothing: the token cannot',
        '  private keys can be exported   no',
      ].join('\n'),
    );
    expect(
      text.endsWith('\n\np11kms cannot run: the token cannot be used: it lacks CKM_AES_GCM encryption\n'),
    ).toBe(true);
    expect(text).not.toContain('can run on this token');
  });

  it('is short where no token was found', () => {
    const store = { directory: '/var/lib/p11kms' };
    expect(
      doctorText({ canRun: false, trouble: 'no token "x"', store, unknownObjects: [], removed: [] }),
    ).toBe(`Store
  directory  /var/lib/p11kms
  id         none yet: the first start makes it

Objects of this store that no row knows
  not looked for: the token cannot be used

p11kms cannot run: no token "x"
`);
  });

  it('lists objects that no row knows, and advises against haste', () => {
    const unknownObjects = [
      { id: 'aa'.repeat(16), label: 'p11kms/0123456789ab/key/1/encrypt' },
      { id: 'bb'.repeat(16), label: 'p11kms/0123456789ab/key/1/wrap' },
    ];
    const diagnosis = { ...DIAGNOSIS, unknownObjects };
    expect(sectionOf(diagnosis, 'Objects of this store that no row knows')).toEqual([
      'Objects of this store that no row knows',
      `  ${'aa'.repeat(16)}  p11kms/0123456789ab/key/1/encrypt`,
      `  ${'bb'.repeat(16)}  p11kms/0123456789ab/key/1/wrap`,
    ]);
    expect(doctorText(diagnosis)).toContain('run: p11kms doctor --remove ID');
  });

  it('says what it has removed', () => {
    const removed = ['aa'.repeat(16), 'bb'.repeat(16)];
    expect(sectionOf({ ...DIAGNOSIS, removed }, 'Removed')).toEqual([
      'Removed',
      ...removed.map((id) => `  ${id}`),
    ]);
    expect(sectionOf(DIAGNOSIS, 'Removed')).toEqual([]);
  });

  it('has warnings only where there are some', () => {
    expect(sectionOf(DIAGNOSIS, 'Warnings')).toEqual([]);
    expect(sectionOf(withReport({ warnings: ['the PIN count is low'] }), 'Warnings')).toEqual([
      'Warnings',
      '  the PIN count is low',
    ]);
  });

  it('names AES-GCM where that alone wraps', () => {
    const dialect = { wrapping: 'gcm', ecUnwrapTakesPoint: false } as const;
    expect(sectionOf(withReport({ dialect }), 'Wrapping')).toContain(
      '  private keys are wrapped with  gcm: AES-GCM in C_WrapKey',
    );
  });

  it('says what the token does not tell of its limits', () => {
    expect(sectionOf(withReport({ limits: {} }), 'Limits')).toEqual([
      'Limits',
      '  sessions             an unknown number open, no limit told',
      '  read-write sessions  no limit told',
      '  free private memory  the token does not tell',
      '  free public memory   the token does not tell',
    ]);
  });

  it('has one empty line between its sections, none at the end, and no blanks before a line feed', () => {
    const text = doctorText({ ...DIAGNOSIS, removed: ['aa'] });
    expect(text).not.toMatch(/\n\n\n|\n\n$|[ \t]\n/);
    expect(text.endsWith('\n')).toBe(true);
  });
});
