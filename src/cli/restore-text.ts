import type { StoreVersion, TokenVersion } from '../kms/recovery';
import type { Restoration } from './restoration';
import { table } from './table';

/** What restore found and did, as a person reads it. */
export function restoreText(restoration: Restoration): string {
  const { store, onlyOnToken, onlyInStore, deletions, finished, forgotten } = restoration;
  const version = ({ keyId, version }: { keyId: string; version: number }) => [keyId, String(version)];
  const sections = [
    section('Store', [
      ['id', store.id],
      ['from', store.from],
      ['last in use', store.lastHeartbeat ? time(store.lastHeartbeat) : 'not known'],
    ]),
    ...rows('On the token, but not in this store', ON_TOKEN, onlyOnToken.map(tokenRow), TOKEN_ADVICE),
    ...rows('In this store, but not on the token', IN_STORE, onlyInStore.map(storeRow), STORE_ADVICE),
    ...rows(
      'Deletions whose waiting begins again, because they may have been cancelled after the backup',
      ['KEY', 'NOT BEFORE'],
      deletions.map(({ keyId, deletionDate }) => [keyId, time(deletionDate)]),
    ),
    ...rows(
      'Versions that were being made, and are on the token: kept',
      ['KEY', 'VERSION'],
      finished.map(version),
    ),
    ...rows(
      'Versions that were being made, and are not on the token: forgotten',
      ['KEY', 'VERSION'],
      forgotten.map(version),
    ),
    section('Keys', [[keys(restoration)]]),
    section('Principals', [[PRINCIPALS]]),
    ...auditRecord(restoration),
    ...(restoration.previousStore
      ? [section('The store that was there', [[restoration.previousStore]])]
      : []),
    verdict(restoration),
  ];
  return `${sections.join('\n\n')}\n`;
}

const PRINCIPALS =
  'those of the backup: access keys and client keys that were deleted or rotated after it work again';
const ON_TOKEN = ['KEY', 'VERSION', 'THE KEY IN THIS STORE'];
const IN_STORE = ['KEY', 'VERSION', 'STATE', 'MADE', 'MISSING OBJECTS'];
const TOKEN_ADVICE =
  '  Made after the backup, or by another store of the same origin. What they encrypted does not open with this\n' +
  '  store: restore a newer backup if there is one. Nothing is removed from the token.';
const STORE_ADVICE =
  '  Destroyed after the backup, or missing because the token is older than the store. What they encrypted does\n' +
  '  not open, unless a newer backup of the token has them.';

function tokenRow({ keyId, version, keyState }: TokenVersion): string[] {
  return [keyId, version === undefined ? '?' : String(version), keyState ? word(keyState) : 'unknown'];
}

function storeRow({ keyId, version, keyState, createdAt, missing }: StoreVersion): string[] {
  return [keyId, String(version), word(keyState), time(createdAt), missing.join(' ')];
}

const word = (state: string): string => state.replace('_', ' ');
const time = (date: Date): string => `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

function section(title: string, cells: readonly (readonly string[])[]): string {
  return `${title}\n${table(cells)}`;
}

/** A section with a heading row and perhaps advice; none where there is nothing to say. */
function rows(title: string, heading: string[], cells: string[][], advice?: string): string[] {
  if (cells.length === 0) return [];
  const text = section(title, [heading, ...cells]);
  return [advice ? `${text}\n${advice}` : text];
}

function keys({ keys: { total, toRotate } }: Restoration): string {
  const all = total === 1 ? '1 key' : `${total} keys`;
  if (toRotate === 0) return `${all}; none is due for rotation by its count of AES-GCM calls`;
  return `${all}; ${toRotate} will be rotated at the next encryption, as the calls since the backup are not known`;
}

function auditRecord({ chains }: Restoration): string[] {
  if (!chains || chains.adopted + chains.doubtful.length === 0) return [];
  const { adopted, doubtful } = chains;
  const counted = adopted === 1 ? '1 chain' : `${adopted} chains`;
  return [
    section('The audit record', [
      ...(adopted > 0
        ? [[`${counted} begun after the backup, without fault as far as can be seen: adopted`]]
        : []),
      ...doubtful.map((chain) => [`${chain} is not whole, and was not adopted: see p11kms audit verify`]),
    ]),
  ];
}

function verdict({ restored, check, onlyOnToken, onlyInStore }: Restoration): string {
  if (restored) return 'The store is restored. The service can be started.';
  const agree = onlyOnToken.length + onlyInStore.length === 0;
  if (check) {
    return agree
      ? 'Nothing was changed. This store can be restored: it has every key that the token has, and the other way round.'
      : 'Nothing was changed. This store can be restored with --yes.';
  }
  return 'Nothing was changed, because store and token know different keys. To restore all the same, add --yes.';
}
