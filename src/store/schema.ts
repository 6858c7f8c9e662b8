/**
 * The tables. Metadata only: no key material is ever in the store. Times are milliseconds since 1970; CKA_IDs
 * are 16 bytes in hex; booleans do not exist in SQLite, so states are words.
 */
import type { Generated } from 'kysely';

export interface Database {
  store: StoreTable;
  keys: KeysTable;
  key_versions: KeyVersionsTable;
  aliases: AliasesTable;
}

/** One row: what this store is, and which object on the token belongs to it. */
export interface StoreTable {
  singleton: Generated<number>;
  /** Part of the label of every object on the token. */
  id: string;
  service_key_object: string;
  /** `creating` until the object has been seen on the token. */
  service_key_state: 'creating' | 'active';
  created_at: number;
}

export type KeyState = 'creating' | 'enabled' | 'disabled';

export interface KeysTable {
  /** UUID in lower case. */
  id: string;
  state: KeyState;
  description: string;
  /** The version that new ciphertexts use. */
  current_version: number;
  created_at: number;
}

export interface KeyVersionsTable {
  key_id: string;
  /** 1 for the first. */
  number: number;
  /** `creating` while there may or may not be objects on the token. */
  state: 'creating' | 'active';
  encrypt_object: string;
  wrap_object: string;
  created_at: number;
}

export interface AliasesTable {
  /** With its `alias/`. */
  name: string;
  key_id: string;
  created_at: number;
  updated_at: number;
}
