/** Finding keys by what clients call them, from a small memory in front of the store. */
import { createHash } from 'node:crypto';
import { KmsError } from '../errors';
import type { KeyRow } from '../store/keys';
import type { Store } from '../store/store';
import type { Arns } from './arns';
import type { AliasName, Key, KeyId, KeyVersion } from './key';
import { type KeyReference, parseKeyReference } from './key-reference';

export interface KeyDirectory {
  /** @throws KmsError NOT_FOUND */
  resolve(reference: string): Promise<Key>;
  findById(id: KeyId): Promise<Key | undefined>;
  /** Forgets everything: to be called after every change. */
  forget(): void;
}

/** What another process changes applies here this much later at most. */
const MEMORY_MS = 1_000;
/** Bounds the memory; a client can make up names without end. */
const MEMORY_ENTRIES = 10_000;

interface Remembered {
  readonly key: Promise<Key | undefined>;
  readonly until: number;
}

export function createKeyDirectory(store: Store, arns: Arns): KeyDirectory {
  let memory = new Map<string, Remembered>();

  const remember = (name: string, look: () => Promise<Key | undefined>): Promise<Key | undefined> => {
    const now = performance.now();
    const known = memory.get(name);
    if (known && known.until > now) return known.key;
    if (memory.size >= MEMORY_ENTRIES) memory = new Map();
    const key = look();
    const into = memory;
    into.set(name, { key, until: now + MEMORY_MS });
    key.catch(() => into.delete(name));
    return key;
  };

  const findById = (id: KeyId) =>
    remember(id, async () => {
      const row = await store.keys.find(id);
      return row && keyOf(arns, row);
    });

  const findByAlias = (name: AliasName) =>
    remember(name, async () => {
      const alias = await store.aliases.find(name);
      return alias && findById(alias.key_id as KeyId);
    });

  return {
    findById,
    forget: () => {
      memory = new Map();
    },
    async resolve(text) {
      const reference = parseKeyReference(arns, text);
      const key = await (reference.kind === 'id' ? findById(reference.id) : findByAlias(reference.name));
      if (!key) throw notFound(arns, reference);
      return key;
    },
  };
}

function notFound(arns: Arns, reference: KeyReference): KmsError {
  return reference.kind === 'id'
    ? new KmsError('NOT_FOUND', `Key '${arns.key(reference.id)}' does not exist`)
    : new KmsError('NOT_FOUND', `Alias ${arns.alias(reference.name)} is not found.`);
}

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
    enabled: row.state === 'enabled',
    createdAt: new Date(Number(row.created_at)),
    current,
    versions,
  };
}

function versionOf(row: KeyRow['versions'][number]): KeyVersion {
  const { number, encrypt_object: encryptObject, wrap_object: wrapObject } = row;
  // The objects' ids are random and never used again, so a hash of them names the material for good.
  const materialId = createHash('sha256').update(`${encryptObject}${wrapObject}`).digest('hex');
  return { number, encryptObject, wrapObject, materialId };
}
