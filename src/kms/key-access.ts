/** What decides on access to a key beside its policy, from a small memory in front of the store. */
import type { AccessGrant } from '../access/access-grant';
import { MAX_ALIASES } from '../store/aliases';
import type { Store } from '../store/store';
import { decodeConstraints } from './grant-constraints';
import type { KeyId } from './key';
import { createMemory } from './memory';

/** As many tags as a key may have. */
export const TAGS_PER_KEY = 50;

export interface KeyAccess {
  /** A key's grants to these principals. */
  grants(keyId: KeyId, granteePrincipals: readonly string[]): Promise<readonly AccessGrant[]>;
  aliases(keyId: KeyId): Promise<readonly string[]>;
  tags(keyId: KeyId): Promise<ReadonlyMap<string, string>>;
  /** Forgets everything: to be called after every change. */
  forget(): void;
}

export function createKeyAccess(store: Pick<Store, 'grants' | 'aliases' | 'tags'>): KeyAccess {
  const grants = createMemory<readonly AccessGrant[]>();
  const aliases = createMemory<readonly string[]>();
  const tags = createMemory<ReadonlyMap<string, string>>();

  return {
    grants: (keyId, principals) =>
      grants.recall(`${keyId} ${principals.join(' ')}`, async () => {
        const rows = await store.grants.to(keyId, principals);
        return rows.map((row) => ({
          granteePrincipal: row.grantee_principal,
          operations: JSON.parse(row.operations) as string[],
          ...(row.constraints !== null && { constraints: decodeConstraints(row.constraints) }),
        }));
      }),
    aliases: (keyId) =>
      aliases.recall(keyId, async () => {
        const rows = await store.aliases.list(MAX_ALIASES, undefined, keyId);
        return rows.map(({ name }) => name);
      }),
    tags: (keyId) =>
      tags.recall(keyId, async () => {
        const rows = await store.tags.list(keyId, TAGS_PER_KEY);
        return new Map(rows.map(({ name, value }) => [name, value]));
      }),
    forget() {
      for (const memory of [grants, aliases, tags]) memory.forget();
    },
  };
}
