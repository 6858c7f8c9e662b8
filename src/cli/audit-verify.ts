/** `p11kms audit verify DIR` and `p11kms audit public-key`. */
import { createPublicKey } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import type { AuditReport } from '../audit/findings';
import { type VerifyOptions, verifyAudit } from '../audit/verify';
import { loadStoreConfig } from '../config/load';
import { EXIT, StartError } from '../errors';
import { openStore, type Store, storeExists } from '../store/store';
import { auditText } from './audit-text';
import { createProgress } from './progress';

export interface AuditVerifyOptions {
  /** A PEM file. */
  readonly publicKey?: string;
  /** A copy is checked where the store is not at hand. */
  readonly withoutStore?: true;
  readonly json?: true;
}

/**
 * Prints what there is to say of the audit record in these directories and returns the exit code: 0 where it is whole,
 * 3 where it is not.
 *
 * @throws StartError where it cannot be checked
 */
export async function auditVerify(dirs: readonly string[], options: AuditVerifyOptions): Promise<number> {
  const { json, withoutStore } = options;
  const progress = createProgress('checked');
  try {
    const known = withoutStore ? {} : await readStore();
    const given = options.publicKey ? { publicKey: readPublicKey(options.publicKey) } : {};
    const checks = { dirs: [...new Set(dirs.map(realPath))], ...known, ...given };
    const report = verifyAll({ ...checks, onProgress: progress.show });
    progress.clear();
    process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : auditText(report, checks));
    return report.isWhole ? 0 : EXIT.differs;
  } finally {
    progress.clear();
  }
}

/** One directory may be named twice; what is none is found out later. */
function realPath(dir: string): string {
  try {
    return realpathSync(dir);
  } catch {
    return dir;
  }
}

/**
 * Prints the public key of the store's checkpoints, PEM.
 *
 * @throws StartError
 */
export async function auditPublicKey(): Promise<void> {
  const { publicKey } = await readStore();
  if (!publicKey)
    throw new StartError('the store has no audit key yet: the service makes it when it first starts');
  const pem = createPublicKey({ key: publicKey, format: 'der', type: 'spki' }).export({
    type: 'spki',
    format: 'pem',
  });
  process.stdout.write(pem);
}

function verifyAll(options: VerifyOptions): AuditReport {
  try {
    return verifyAudit(options);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`the audit record cannot be read: ${why}`, undefined, { cause });
  }
}

function readPublicKey(file: string): Buffer {
  try {
    return createPublicKey(readFileSync(file)).export({ type: 'spki', format: 'der' });
  } catch (cause) {
    throw new StartError(`${file} holds no public key in PEM: ${(cause as Error).message}`, undefined, {
      cause,
    });
  }
}

type Known = Pick<VerifyOptions, 'store' | 'publicKey'>;

/** What the store knows of the record: before its files are read, so that a service that runs is ahead of it. */
async function readStore(): Promise<Known> {
  const { dataDir, database } = loadStoreConfig(process.env);
  const address = database ?? dataDir;
  if (!(await storeExists(address))) {
    const where = database?.name ?? dataDir;
    throw new StartError(`there is no store in ${where}: set P11KMS_DATA_DIR, or use --without-store`);
  }
  const store = await openStore(address);
  try {
    return await knownTo(store);
  } finally {
    await store.close();
  }
}

async function knownTo(store: Store): Promise<Known> {
  const { id } = await store.identity.read();
  const heads = await store.audit.list();
  const publicKey = await store.audit.publicKey();
  return { store: { id, heads }, ...(publicKey && { publicKey }) };
}
