import type { AuditReport, ChainReport, Finding } from '../audit/findings';
import { fingerprintOf } from '../audit/lines';
import { table } from './table';

/** What the record was held against. */
export interface Held {
  readonly store?: { readonly id: string };
  readonly publicKey?: Buffer;
}

/** The report of `p11kms audit verify`, for people. */
export function auditText(report: AuditReport, held: Held): string {
  const blocks = [
    table(summary(report, held), ''),
    listOf('not as it was written:', report.findings.map(findingText)),
    report.findingCount > report.findings.length
      ? `and ${report.findingCount - report.findings.length} findings more`
      : '',
    listOf('to know:', [...report.remarks, ...unheld(held)]),
    verdict(report),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function summary({ chains }: AuditReport, { store, publicKey }: Held): string[][] {
  const sum = (of: (chain: ChainReport) => number) => chains.reduce((all, chain) => all + of(chain), 0);
  const times = chains.flatMap(({ from, to }) => (from && to ? [from, to] : [])).sort();
  const unsigned = sum(({ unsignedLines }) => unsignedLines);
  return [
    ['chains', `${chains.length}, ${chains.filter(({ state }) => state === 'open').length} of them open`],
    ['files', String(sum(({ files }) => files))],
    ['records', String(sum(({ records }) => records))],
    ['from', times[0] ?? 'none'],
    ['to', times.at(-1) ?? 'none'],
    ['lines signed', `all but ${unsigned}, of ${sum(({ sequence }) => sequence)}`],
    ['store', store?.id ?? 'not looked at'],
    ['public key', publicKey ? `fingerprint ${fingerprintOf(publicKey)}` : 'the one that each chain names'],
  ];
}

const listOf = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n');

function findingText({ kind, chain, file, line, sequence, message }: Finding): string {
  const where = [file ?? `chain ${chain}`, line && `line ${line}`, sequence && `sequence ${sequence}`];
  return `${kind}: ${where.filter(Boolean).join(', ')}: ${message}`;
}

/** What cannot be found out without a store, or without a key that comes from elsewhere than the record. */
function unheld({ store, publicKey }: Held): string[] {
  return [
    ...(store
      ? []
      : [
          'without the store nobody sees whether whole chains are missing, or what stood behind the last signature',
        ]),
    ...(publicKey
      ? []
      : ['with the key that is named in the record itself, a forger may have signed all of it']),
  ];
}

function verdict({ isWhole, chains, findingCount }: AuditReport): string {
  if (chains.length === 0 && isWhole) return 'There is no audit record here.';
  if (isWhole) return 'The audit record is whole.';
  return `The audit record is NOT whole: ${findingCount} ${findingCount === 1 ? 'finding' : 'findings'}.`;
}
