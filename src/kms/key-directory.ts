/** Finding keys by what clients call them, from a small memory in front of the store. */
import { createHash } from 'node:crypto';
import { KmsError } from '../errors';
import type { KeyRow } from '../store/keys';
import type { Store } from '../store/store';
import type { Arns } from './arns';
import type { AliasName, Key, KeyId, KeyState, KeyVersion } from './key';
import { createKeyAccess, type KeyAccess } from './key-access';
import { type KeyReference, parseKeyReference } from './key-reference';
import { createMemory } from './memory';

export interface KeyDirectory {
  /** @throws KmsError NOT_FOUND */
  resolve(reference: string): Promise<Key>;
  find(reference: KeyReference): Promise<Key | undefined>;
  findById(id: KeyId): Promise<Key | undefined>;
  /** As the store has it now, whatever is remembered. */
  findAgain(id: KeyId): Promise<Key | undefined>;
  /** What decides on access to a key beside its policy. */
  readonly access: Omit<KeyAccess, 'forget'>;
  /** Forgets everything: to be called after every change. */
  forget(): void;
}

export function createKeyDirectory(store: Store, arns: Arns): KeyDirectory {
  const keys = createMemory<Key | undefined>();
  // Only the id: a key remembered here as well could be as old as both memories together.
  const aliases = createMemory<KeyId | undefined>();

  const access = createKeyAccess(store);

  const findById = (id: KeyId) =>
    keys.recall(id, async () => {
      const row = await store.keys.find(id);
      return row && keyOf(arns, row);
    });

  const findByAlias = async (name: AliasName) => {
    const id = await aliases.recall(name, async () => {
      const alias = await store.aliases.find(name);
      return alias && (alias.key_id as KeyId);
    });
    return id && findById(id);
  };

  const find = (reference: KeyReference) =>
    reference.kind === 'id' ? findById(reference.id) : findByAlias(reference.name);

  return {
    find,
    findById,
    access,
    findAgain(id) {
      keys.forget(id);
      return findById(id);
    },
    forget() {
      keys.forget();
      aliases.forget();
      access.forget();
    },
    async resolve(text) {
      const reference = parseKeyReference(arns, text);
      const key = await find(reference);
      if (!key) throw keyNotFound(arns, reference);
      return key;
    },
  };
}

export function keyNotFound(arns: Arns, reference: KeyReference): KmsError {
  return reference.kind === 'id'
    ? new KmsError('NOT_FOUND', `Key '${arns.key(reference.id)}' does not exist`)
    : aliasNotFound(arns, reference.name);
}

export const aliasNotFound = (arns: Arns, name: AliasName): KmsError =>
  new KmsError('ALIAS_NOT_FOUND', `Alias ${arns.alias(name)} is not found.`);

/** A row of the store as the domain sees it. */
export function keyOf(arns: Arns, row: KeyRow): Key {
  const id = row.id as KeyId;
  const versions = new Map(row.versions.map((version) => [version.number, versionOf(version)]));
  const current = versions.get(row.current_version);
  if (!current) throw new Error(`key ${id} has no version ${row.current_version}`);
  return {
    id,
    arn: arns.key(id),
    description: row.description,
    ...(row.policy !== null && { policy: row.policy }),
    state: stateOf(row),
    createdAt: new Date(row.created_at),
    ...(row.deletion_at !== null && { deletionAt: new Date(row.deletion_at) }),
    ...rotationOf(row),
    current,
    versions,
  };
}

/** While a key is being destroyed clients see what they saw before: it may take a while, and nothing undoes it. */
function stateOf({ state }: KeyRow): KeyState {
  if (state === 'enabled' || state === 'disabled') return state;
  return 'pending-deletion';
}

function rotationOf({ rotation_period_days, next_rotation_at }: KeyRow): Pick<Key, 'rotation'> {
  if (rotation_period_days === null || next_rotation_at === null) return {};
  return { rotation: { periodInDays: rotation_period_days, nextAt: new Date(next_rotation_at) } };
}

function versionOf(row: KeyRow['versions'][number]): KeyVersion {
  const { number, encrypt_object: encryptObject, wrap_object: wrapObject, rotation: cause, rotated_at } = row;
  // The objects' ids are random and never used again, so a hash of them names the material for good.
  const materialId = createHash('sha256').update(`${encryptObject}${wrapObject}`).digest('hex');
  const rotation = cause !== null && rotated_at !== null && { rotation: { cause, at: new Date(rotated_at) } };
  return { number, encryptObject, wrapObject, materialId, ...rotation };
}
