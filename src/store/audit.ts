import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Engine, PutAuditHead } from './engine';
import type { Database } from './schema';

/** The last line that the store knows of a chain of audit records; sequence 0 before there is one. */
export interface AuditHead {
  readonly chain: string;
  readonly sequence: number;
  /** SHA-256 of the line, hex. */
  readonly hash: string;
}

/** The key pair on the token that signs the audit record's checkpoints. */
export interface AuditKey {
  /** CKA_ID, 16 bytes in hex. */
  readonly id: string;
  /** X.509 SubjectPublicKeyInfo, DER; absent until somebody has seen the key pair: it may have to be made. */
  readonly publicKey?: Buffer;
}

export interface AuditRepository {
  readonly put: PutAuditHead;
  /** The heads of all chains, in the order of their beginning. */
  list(): Promise<AuditHead[]>;
  /** The key; a store that has none gets the id of one. */
  key(): Promise<AuditKey>;
  /** The key's public half, SPKI in DER, once it is known. */
  publicKey(): Promise<Buffer | undefined>;
  /** The key has been seen on the token: it is not made again. */
  confirmKey(publicKey: Buffer): Promise<void>;
}

export function auditRepository({ db, putAuditHead }: Engine): AuditRepository {
  return {
    put: putAuditHead,

    list: () =>
      db.selectFrom('audit_chains').select(['id as chain', 'sequence', 'hash']).orderBy('id').execute(),

    async key() {
      await db
        .updateTable('store')
        .set({ audit_key_object: randomBytes(16).toString('hex'), audit_key_state: 'creating' })
        .where('audit_key_object', 'is', null)
        .execute();
      const row = await db
        .selectFrom('store')
        .select(['audit_key_object as id', 'audit_public_key as publicKey'])
        .executeTakeFirstOrThrow();
      if (row.id === null) throw new Error('the store has no id for the audit key');
      return { id: row.id, ...(row.publicKey && { publicKey: Buffer.from(row.publicKey, 'base64') }) };
    },

    async publicKey() {
      const row = await db.selectFrom('store').select('audit_public_key as key').executeTakeFirst();
      return row?.key ? Buffer.from(row.key, 'base64') : undefined;
    },

    async confirmKey(publicKey) {
      await db
        .updateTable('store')
        .set({ audit_key_state: 'active', audit_public_key: publicKey.toString('base64') })
        .execute();
    },
  };
}

export async function putAuditHead(
  db: Kysely<Database>,
  id: string,
  sequence: number,
  hash: string,
): Promise<void> {
  await db
    .insertInto('audit_chains')
    .values({ id, sequence, hash, started_at: Date.now() })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ sequence, hash }).where('audit_chains.sequence', '<', sequence),
    )
    .execute();
}
