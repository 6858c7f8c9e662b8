/** The audit record of what a service does to keys without being asked. */
import { randomUUID } from 'node:crypto';
import type { Audit } from './audit/audit';
import { recordBound } from './audit/entry';
import type { Arns } from './kms/arns';
import type { KeyId } from './kms/key';
import type { Logger } from './telemetry/logger';

export interface ServiceRecord {
  /**
   * To be asked before something is done: what cannot be recorded is not done.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  assertRoom(): Promise<void>;
  /** Records what was done. */
  note(operation: string, keyId: string, details?: Readonly<Record<string, string | number>>): void;
}

export function serviceRecord(audit: Audit, arns: Arns, logger: Logger): ServiceRecord {
  const record = async (
    operation: string,
    keyId: string,
    details: Readonly<Record<string, string | number>>,
  ) => {
    const reservation = await audit.reserve(recordBound(0));
    await reservation.record({
      time: new Date(),
      requestId: randomUUID(),
      protocol: 'service',
      operation,
      key: arns.key(keyId as KeyId),
      outcome: 'ok',
      details,
    });
  };
  return {
    async assertRoom() {
      const reservation = await audit.reserve(recordBound(0));
      reservation.release();
    },
    note(operation, keyId, details = {}) {
      record(operation, keyId, details).catch((error: unknown) =>
        logger.error('a change could not be recorded', { operation, keyId, error }),
      );
    },
  };
}
