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
): ListedPrincipal[] =>
  rows.map((row) => {
    const own = clientKeys.filter(({ principal }) => principal === row.name);
    return listed(arns, row, own);
  });

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
    clientKeys: clientKeys
      .filter((key) => !hasExpired(key))
      .map((key) => ({
        id: key.id,
        createdAt: new Date(key.created_at),
        expiresAt: new Date(key.expires_at),
      })),
    policies: row.policies.map(({ name }) => name),
  };
}

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

/**
 * One principal, with its policies as they were attached.
 *
 * @param clientKeys its own
 */
export function showText(arns: Arns, row: PrincipalRow, clientKeys: readonly ClientKeyRow[]): string {
  const principal = listed(arns, row, clientKeys);
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

/**
 * A principal and what is deleted with it, on one line.
 *
 * @param clientKeys its own
 */
export function withBelongings(row: PrincipalRow, clientKeys: readonly ClientKeyRow[]): string {
  const policies = row.policies.map(({ name }) => name);
  const belongings = [
    ...counted('access key', 'access keys', idsOf(row.accessKeys)),
    ...counted('client key', 'client keys', idsOf(clientKeys)),
    ...counted('policy', 'policies', policies),
  ];
  return belongings.length > 0 ? `${row.name}, with its ${belongings.join('; ')}` : row.name;
}

const idsOf = (keys: readonly { readonly id: string }[]): string[] => keys.map(({ id }) => id);

const counted = (one: string, several: string, names: readonly string[]): string[] =>
  names.length > 0 ? [`${names.length === 1 ? one : several} ${names.join(', ')}`] : [];

const clientKeysOf = ({ clientKeys }: ListedPrincipal): string =>
  clientKeys.map(({ id, expiresAt }) => `${id} (until ${dateOf(expiresAt)})`).join(', ') || '-';

const accessKeysOf = ({ accessKeys }: ListedPrincipal): string =>
  accessKeys.map(({ id, expiresAt }) => (expiresAt ? `${id} (until ${dateOf(expiresAt)})` : id)).join(', ') ||
  '-';
