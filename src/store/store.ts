/** The store: what p11kms knows about its keys, and nothing that could open one. */
import { type AliasRepository, aliasRepository } from './aliases';
import { type AuditRepository, auditRepository } from './audit';
import { type ClientKeyRepository, clientKeyRepository } from './client-keys';
import { type DeletionRepository, deletionRepository } from './deletions';
import type { Engine } from './engine';
import { type Exclusively, exclusively } from './exclusively';
import { type GrantRepository, grantRepository } from './grants';
import { type HeartbeatRepository, heartbeatRepository } from './heartbeat';
import { type IdentityRepository, identityRepository } from './identity';
import { type KeyPolicyRepository, keyPolicyRepository } from './key-policies';
import { type KeyUsageRepository, keyUsageRepository } from './key-usage';
import { type KeyVersionRepository, keyVersionRepository } from './key-versions';
import { type KeyRepository, keyRepository } from './keys';
import { type DatabaseAddress, openPostgres, postgresExists } from './postgres';
import { type PrincipalRepository, principalRepository } from './principals';
import { type RecoveryRepository, recoveryRepository } from './recovery';
import { openSqlite, sqliteExists } from './sqlite';
import { type TagRepository, tagRepository } from './tags';

export interface Store {
  readonly identity: IdentityRepository;
  readonly heartbeat: HeartbeatRepository;
  readonly keys: KeyRepository;
  readonly versions: KeyVersionRepository;
  readonly deletions: DeletionRepository;
  readonly usage: KeyUsageRepository;
  readonly aliases: AliasRepository;
  readonly recovery: RecoveryRepository;
  readonly tags: TagRepository;
  readonly keyPolicies: KeyPolicyRepository;
  readonly grants: GrantRepository;
  readonly principals: PrincipalRepository;
  readonly clientKeys: ClientKeyRepository;
  readonly audit: AuditRepository;
  /**
   * Does the work while nobody else, in this or any other process on the same store, does work of the same name. Waits
   * at most 30 s for the others, and not at all behind very many. Not for work that calls it again with the same name: that would wait for itself. Should
   * PostgreSQL go away meanwhile, another process may begin before the work has ended.
   *
   * @throws KmsError TOKEN_TIMEOUT, THROTTLED, and whatever the work throws
   */
  readonly exclusively: Exclusively;
  /** Whether other processes of p11kms use the store, by all that can be seen. */
  isShared(): Promise<boolean>;
  /** Rejects where the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A data directory, where the store is a file of SQLite, or a database of PostgreSQL. */
export type StoreAddress = string | DatabaseAddress;

/**
 * Whether there is a store at the address already.
 *
 * @throws StartError where that cannot be found out
 */
export async function storeExists(address: StoreAddress): Promise<boolean> {
  return typeof address === 'string' ? sqliteExists(address) : postgresExists(address);
}

/**
 * Opens the store at the address, makes one where there is none, and brings its schema up to date.
 *
 * @throws StartError
 */
export async function openStore(address: StoreAddress): Promise<Store> {
  return storeOf(await (typeof address === 'string' ? openSqlite(address) : openPostgres(address)));
}

function storeOf(engine: Engine): Store {
  const { db, isShared, ping, close } = engine;
  return {
    identity: identityRepository(db),
    heartbeat: heartbeatRepository(db),
    keys: keyRepository(db),
    versions: keyVersionRepository(db),
    deletions: deletionRepository(db),
    usage: keyUsageRepository(db),
    aliases: aliasRepository(db),
    recovery: recoveryRepository(db),
    tags: tagRepository(db),
    keyPolicies: keyPolicyRepository(db),
    grants: grantRepository(db),
    principals: principalRepository(db),
    clientKeys: clientKeyRepository(db),
    audit: auditRepository(engine),
    exclusively: exclusively(engine),
    isShared,
    ping,
    close,
  };
}
