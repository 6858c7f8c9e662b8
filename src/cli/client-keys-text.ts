/** Client keys as a person reads them, and as a program does. */
import { hasExpired } from '../kms/client-keys';
import type { ClientKeyRow } from '../store/client-keys';
import { dateOf, table } from './table';

/** A client key, as `list --json` prints it. */
export interface ListedClientKey {
  readonly id: string;
  readonly principal: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly expired: boolean;
}

export const listing = (rows: readonly ClientKeyRow[]): ListedClientKey[] =>
  rows.map((row) => ({
    id: row.id,
    principal: row.principal,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    expired: hasExpired(row),
  }));

/** A line for each. */
export function listText(clientKeys: readonly ListedClientKey[]): string {
  const rows = clientKeys.map(({ id, principal, createdAt, expiresAt, expired }) => {
    const end = dateOf(expiresAt);
    return [id, principal, dateOf(createdAt), expired ? `${end} (expired)` : end];
  });
  return table([['CLIENT KEY', 'PRINCIPAL', 'CREATED', 'EXPIRES'], ...rows], '');
}
