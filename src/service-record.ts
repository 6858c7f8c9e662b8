/** The audit record of what a service does without being asked. */
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
  note(operation: string, about: Done): void;
}

/** What was done, and to which key. */
interface Done {
  readonly keyId?: string;
  readonly details?: Readonly<Record<string, string | number>>;
}

export function serviceRecord(audit: Audit, arns: Arns, logger: Logger): ServiceRecord {
  const record = async (operation: string, { keyId, details }: Done) => {
    const reservation = await audit.reserve(recordBound(0));
    await reservation.record({
      time: new Date(),
      requestId: randomUUID(),
      protocol: 'service',
      operation,
      ...(keyId !== undefined && { key: arns.key(keyId as KeyId) }),
      outcome: 'ok',
      ...(details && { details }),
    });
  };
  return {
    async assertRoom() {
      const reservation = await audit.reserve(recordBound(0));
      reservation.release();
    },
    note(operation, about) {
      record(operation, about).catch((error: unknown) =>
        logger.error('a change could not be recorded', { operation, ...about, error }),
      );
    },
  };
}
