/**
 * The tables. Metadata only: no key material is ever in the store. Times are milliseconds since 1970; CKA_IDs
 * are 16 bytes in hex; booleans do not exist in SQLite, so states are words.
 */
import type { ColumnType, Generated } from 'kysely';

export interface Database {
  store: StoreTable;
  keys: KeysTable;
  key_versions: KeyVersionsTable;
  key_tags: KeyTagsTable;
  key_usage: KeyUsageTable;
  aliases: AliasesTable;
  grants: GrantsTable;
  principals: PrincipalsTable;
  access_keys: AccessKeysTable;
  client_keys: ClientKeysTable;
  principal_policies: PrincipalPoliciesTable;
  audit_chains: AuditChainsTable;
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
  /** Since when the uses of keys are recorded. */
  usage_tracked_since: number;
  /** Milliseconds that services have seen pass on this store, by clocks that nobody can set. */
  heartbeat_ms: Generated<number>;
  /** When that was last recorded, by the wall clock. */
  heartbeat_at: number | null;
  /** CKA_ID of the key pair on the token that signs the audit record's checkpoints; null until it is first needed. */
  audit_key_object: Nullable<string>;
  /** `creating` until the key pair has been seen on the token. */
  audit_key_state: Nullable<'creating' | 'active'>;
  /** X.509 SubjectPublicKeyInfo, DER in base64. */
  audit_public_key: Nullable<string>;
}

/**
 * `pending_deletion` can be cancelled. `deleting` cannot: the objects on the token are being destroyed. `deleted` is
 * a tombstone, so that the id is never used again.
 */
export type KeyState = 'creating' | 'enabled' | 'disabled' | 'pending_deletion' | 'deleting' | 'deleted';

export interface KeysTable {
  /** UUID in lower case. */
  id: string;
  state: KeyState;
  description: string;
  /** The key policy as it was put, JSON; null while the default policy applies. */
  policy: ColumnType<string | null, string | null | undefined, string | null>;
  /** The version that new ciphertexts use. */
  current_version: number;
  /** The highest number that a version was begun under: none is used again. */
  last_version: Generated<number>;
  created_at: number;
  /** How many days a scheduled deletion waits. */
  deletion_window_days: Nullable<number>;
  /** The key is destroyed after this time, and not before `heartbeat_ms` has reached `deletion_heartbeat`. */
  deletion_at: Nullable<number>;
  deletion_heartbeat: Nullable<number>;
  /** Days between automatic rotations; null while they are off. */
  rotation_period_days: Nullable<number>;
  next_rotation_at: Nullable<number>;
}

/** A column that a new row need not name. */
type Nullable<T> = ColumnType<T | null, T | null | undefined, T | null>;

export interface KeyVersionsTable {
  key_id: string;
  /** 1 for the first. */
  number: number;
  /**
   * `creating` while there may or may not be objects on the token; `removing` once somebody cleans up after that,
   * which nothing can undo.
   */
  state: 'creating' | 'active' | 'removing';
  encrypt_object: string;
  wrap_object: string;
  created_at: number;
  /** What made the version; null for a key's first. */
  rotation: Nullable<RotationCause>;
  /** When it became the current version; null for a key's first. */
  rotated_at: Nullable<number>;
  /** AES-GCM calls under this version's objects that were made, or may be made out of a reserved block. */
  gcm_calls: Generated<number>;
}

/** `exhausted`: the version before had used up its AES-GCM calls. */
export type RotationCause = 'automatic' | 'on_demand' | 'exhausted';

export interface KeyTagsTable {
  key_id: string;
  name: string;
  value: string;
}

/** The last successful cryptographic use of a key. */
export interface KeyUsageTable {
  key_id: string;
  /** The protocol's name of the operation. */
  operation: string;
  request_id: string;
  used_at: number;
}

export interface AliasesTable {
  /** With its `alias/`. */
  name: string;
  key_id: string;
  created_at: number;
  updated_at: number;
}

export interface GrantsTable {
  /** 64 hex digits. */
  id: string;
  key_id: string;
  name: string | null;
  grantee_principal: string;
  retiring_principal: string | null;
  /** A JSON list of operation names. */
  operations: string;
  /** A JSON object, `equals` or `subset` with pairs; null where there are none. */
  constraints: string | null;
  created_at: number;
}

/** Who may call. */
export interface PrincipalsTable {
  /** `root` for the account's root principal. */
  name: string;
  kind: 'root' | 'user';
  /** The subject of the client certificates that stand for the principal, as the command line normalises it. */
  certificate_subject: Nullable<string>;
  created_at: number;
}

export interface AccessKeysTable {
  /** 20 characters. */
  id: string;
  principal: string;
  /** The secret access key, encrypted by the service key on the token: IV, ciphertext and tag, base64. */
  sealed_secret: string;
  created_at: number;
  /** When it ends, if it does. */
  expires_at: Nullable<number>;
}

/** What Alibaba's SDKs sign with: the public halves. */
export interface ClientKeysTable {
  /** `KAAP.` and a UUID in lower case. */
  id: string;
  principal: string;
  /** RSA. X.509 SubjectPublicKeyInfo, DER in base64. */
  public_key: string;
  created_at: number;
  /** When it ends. */
  expires_at: number;
}

/** Identity policies. */
export interface PrincipalPoliciesTable {
  principal: string;
  name: string;
  /** JSON, as it was attached. */
  document: string;
}

/** The head of each chain of audit records. */
export interface AuditChainsTable {
  /** As in its files' names. */
  id: string;
  /** Of its last line. */
  sequence: number;
  /** SHA-256 of its last line, hex. */
  hash: string;
  started_at: number;
}
