import type { MechanismReport, TokenReport } from '../hsm/report';
import type { Diagnosis } from './diagnosis';
import { table } from './table';

/** A diagnosis as a person reads it. */
export function doctorText({ canRun, trouble, report, store, unknownObjects, removed }: Diagnosis): string {
  const sections = [
    ...(report ? reportSections(report) : []),
    section('Store', [
      'database' in store ? ['database', store.database] : ['directory', store.directory],
      ['id', store.id ?? 'none yet: the first start makes it'],
    ]),
    section(
      'Objects of this store that no row knows',
      unknownObjects.length > 0
        ? unknownObjects.map(({ id, label }) => [id, label])
        : [[canRun ? 'none' : 'not looked for: the token cannot be used']],
    ),
    ...(unknownObjects.length > 0 ? [UNKNOWN_ADVICE] : []),
    ...(removed.length > 0
      ? [
          section(
            'Removed',
            removed.map((id) => [id]),
          ),
        ]
      : []),
    canRun ? 'p11kms can run on this token.' : `p11kms cannot run: ${trouble}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

const UNKNOWN_ADVICE =
  '  They may be keys that a store restored from an older backup has forgotten: what they encrypted opens with\n' +
  '  nothing else. Restore a newer store, or, where you are sure, run: p11kms doctor --remove ID';

function section(title: string, rows: readonly (readonly string[])[]): string {
  return `${title}\n${table(rows)}`;
}

function reportSections({
  module,
  token,
  mechanisms,
  specs,
  dialect,
  canExport,
  limits,
  warnings,
}: TokenReport): string[] {
  return [
    section('Token', [
      ['module', `${module.description} ${module.version} (${module.manufacturer})`],
      ['label', token.label],
      ['serial', token.serial],
      ['model', `${token.model} (${token.manufacturer}), firmware ${token.firmware}`],
    ]),
    section('Limits', [
      ['sessions', `${limits.openSessions ?? 'an unknown number'} open, ${atMost(limits.maxSessions)}`],
      ['read-write sessions', atMost(limits.maxReadWriteSessions)],
      ['free private memory', bytes(limits.freePrivateMemory)],
      ['free public memory', bytes(limits.freePublicMemory)],
    ]),
    section('Mechanisms', [['NAME', 'NUMBER', 'STATE', 'NOTE'], ...mechanisms.map(mechanismRow)]),
    section('Key pair specs', [
      ['SPEC', 'WORKS', 'NOTE'],
      ...specs.map(({ name, works, note = '' }) => [name, works ? 'yes' : 'no', note]),
    ]),
    section('Wrapping', [
      ['private keys are wrapped with', dialect ? WRAPPING[dialect.wrapping] : 'nothing: the token cannot'],
      ['private keys can be exported', canExport ? 'yes, where P11KMS_PRIVATE_KEY_EXPORT allows it' : 'no'],
    ]),
    ...(warnings.length > 0
      ? [
          section(
            'Warnings',
            warnings.map((warning) => [warning]),
          ),
        ]
      : []),
  ];
}

const WRAPPING = {
  gcm: 'gcm: AES-GCM in C_WrapKey',
  'kwp+gcm': 'kwp+gcm: RFC 5649 in C_WrapKey, AES-GCM around it',
} as const;

function mechanismRow({ name, number, found, proved, note = '' }: MechanismReport): string[] {
  const state = !found ? 'missing' : proved === undefined ? 'found' : proved ? 'proved' : 'FAILED';
  return [name, `0x${number.toString(16).padStart(4, '0')}`, state, note];
}

function atMost(limit: number | undefined): string {
  return limit === undefined ? 'no limit told' : `at most ${limit}`;
}

function bytes(count: number | undefined): string {
  return count === undefined ? 'the token does not tell' : `${count.toLocaleString('en')} bytes`;
}
