/** Principals as a person reads them, and as a program does. */
import type { Arns } from '../kms/arns';
import { liveAccessKeys } from '../kms/principals';
import type { PrincipalRow } from '../store/principal-rows';
import { table } from './table';

/** A principal, as `list --json` prints it. */
export interface ListedPrincipal {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: Date;
  readonly certificateSubject?: string;
  /** Those that have not expired. */
  readonly accessKeys: readonly {
    readonly id: string;
    readonly createdAt: Date;
    readonly expiresAt?: Date;
  }[];
  /** Their names. */
  readonly policies: readonly string[];
}

export const listing = (arns: Arns, rows: readonly PrincipalRow[]): ListedPrincipal[] =>
  rows.map((row) => listed(arns, row));

function listed(arns: Arns, row: PrincipalRow): ListedPrincipal {
  return {
    name: row.name,
    arn: row.kind === 'root' ? arns.accountRoot : arns.user(row.name),
    createdAt: new Date(row.created_at),
    ...(row.certificate_subject !== null && { certificateSubject: row.certificate_subject }),
    accessKeys: liveAccessKeys(row).map(({ id, created_at: createdAt, expires_at: expiresAt }) => ({
      id,
      createdAt: new Date(createdAt),
      ...(expiresAt !== null && { expiresAt: new Date(expiresAt) }),
    })),
    policies: row.policies.map(({ name }) => name),
  };
}

/** A line for each. */
export function listText(principals: readonly ListedPrincipal[]): string {
  const rows = principals.map((principal) => {
    const { name, policies, certificateSubject = '-', createdAt } = principal;
    return [name, accessKeysOf(principal), policies.join(', ') || '-', certificateSubject, dateOf(createdAt)];
  });
  return table([['NAME', 'ACCESS KEYS', 'POLICIES', 'CERTIFICATE', 'CREATED'], ...rows], '');
}

/** One principal, with its policies as they were attached. */
export function showText(arns: Arns, row: PrincipalRow): string {
  const principal = listed(arns, row);
  const { name, arn, createdAt, certificateSubject } = principal;
  const facts = table([
    ['arn', arn],
    ['created', dateOf(createdAt)],
    ['access keys', accessKeysOf(principal)],
    ['certificate', certificateSubject ?? '-'],
  ]);
  const policies = row.policies.map((policy) => `Policy ${policy.name}\n${policy.document.trimEnd()}`);
  const none = row.kind === 'root' ? 'It needs no policies.' : 'It has no policies.';
  return [`${name}\n${facts}`, ...(policies.length > 0 ? policies : [none])].join('\n\n');
}

const accessKeysOf = ({ accessKeys }: ListedPrincipal): string =>
  accessKeys.map(({ id, expiresAt }) => (expiresAt ? `${id} (until ${dateOf(expiresAt)})` : id)).join(', ') ||
  '-';

const dateOf = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');
