/** Principals as a person reads them, and as a program does. */
import type { Arns } from '../kms/arns';
import { hasExpired } from '../kms/client-keys';
import { liveAccessKeys } from '../kms/principals';
import type { ClientKeyRow } from '../store/client-keys';
import type { PrincipalRow } from '../store/principal-rows';
import { dateOf, table } from './table';

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
  /** Those that have not expired. */
  readonly clientKeys: readonly { readonly id: string; readonly createdAt: Date; readonly expiresAt: Date }[];
  /** Their names. */
  readonly policies: readonly string[];
}

/** @param clientKeys everybody's */
export const listing = (
  arns: Arns,
  rows: readonly PrincipalRow[],
  clientKeys: readonly ClientKeyRow[],
): ListedPrincipal[] => rows.map((row) => listed(arns, row, clientKeys));

function listed(arns: Arns, row: PrincipalRow, clientKeys: readonly ClientKeyRow[]): ListedPrincipal {
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
    clientKeys: liveClientKeys(row, clientKeys).map((key) => ({
      id: key.id,
      createdAt: new Date(key.created_at),
      expiresAt: new Date(key.expires_at),
    })),
    policies: row.policies.map(({ name }) => name),
  };
}

/** Those of the principal that have not expired, of everybody's. */
export const liveClientKeys = (
  { name }: Pick<PrincipalRow, 'name'>,
  clientKeys: readonly ClientKeyRow[],
): ClientKeyRow[] => clientKeys.filter((key) => key.principal === name && !hasExpired(key));

/** A line for each. */
export function listText(principals: readonly ListedPrincipal[]): string {
  const rows = principals.map((principal) => {
    const { name, clientKeys, policies, certificateSubject = '-', createdAt } = principal;
    return [
      name,
      accessKeysOf(principal),
      // Their ids are long: `show` has them, and `p11kms client-keys list`.
      String(clientKeys.length || '-'),
      policies.join(', ') || '-',
      certificateSubject,
      dateOf(createdAt),
    ];
  });
  return table([['NAME', 'ACCESS KEYS', 'CLIENT KEYS', 'POLICIES', 'CERTIFICATE', 'CREATED'], ...rows], '');
}

/** One principal, with its policies as they were attached. */
export function showText(arns: Arns, row: PrincipalRow, everybodys: readonly ClientKeyRow[]): string {
  const principal = listed(arns, row, everybodys);
  const { name, arn, createdAt, certificateSubject } = principal;
  const facts = table([
    ['arn', arn],
    ['created', dateOf(createdAt)],
    ['access keys', accessKeysOf(principal)],
    ['client keys', clientKeysOf(principal)],
    ['certificate', certificateSubject ?? '-'],
  ]);
  const policies = row.policies.map((policy) => `Policy ${policy.name}\n${policy.document.trimEnd()}`);
  const none = row.kind === 'root' ? 'It needs no policies.' : 'It has no policies.';
  return [`${name}\n${facts}`, ...(policies.length > 0 ? policies : [none])].join('\n\n');
}

const clientKeysOf = ({ clientKeys }: ListedPrincipal): string =>
  clientKeys.map(({ id, expiresAt }) => `${id} (until ${dateOf(expiresAt)})`).join(', ') || '-';

const accessKeysOf = ({ accessKeys }: ListedPrincipal): string =>
  accessKeys.map(({ id, expiresAt }) => (expiresAt ? `${id} (until ${dateOf(expiresAt)})` : id)).join(', ') ||
  '-';
