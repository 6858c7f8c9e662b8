/** The audit record of a process, on its store and its token. */
import { join } from 'node:path';
import { type Audit, openAudit } from './audit/audit';
import { auditSigner } from './audit-signer';
import type { Config } from './config/load';
import type { Token } from './hsm/token';
import { lockFile } from './store/lock';
import type { Store } from './store/store';
import type { Logger } from './telemetry/logger';

/** How far a file reaches ahead of its records: a step lasts a busy service for seconds. */
const STEP_BYTES = 1 << 20;

export const auditDirectory = (dataDir: string): string => join(dataDir, 'audit');

/**
 * Begins a service's audit record.
 *
 * @throws StartError, KmsError
 */
export async function openAuditLog(
  { dataDir, audit }: Pick<Config, 'dataDir' | 'audit'>,
  { store, token }: { readonly store: Store; readonly token: Token },
  logger: Logger,
): Promise<Audit> {
  const { id: storeId } = await store.identity.read();
  return openAudit({
    dir: auditDirectory(dataDir),
    storeId,
    tokenSerial: token.report.token.serial,
    ...audit,
    stepBytes: STEP_BYTES,
    heads: store.audit,
    signer: await auditSigner(store, token.run),
    lock: lockFile,
    onTrouble: (message, error) => logger.error(message, { error }),
  });
}
