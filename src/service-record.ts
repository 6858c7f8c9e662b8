/** The audit record of what a service does without being asked. */
import { randomUUID } from 'node:crypto';
import type { Audit } from './audit/audit';
import { type AuditEntry, recordBound } from './audit/entry';
import { KmsError } from './errors';
import type { Arns } from './kms/arns';
import type { KeyId } from './kms/key';
import type { RecordedWork } from './kms/recorded-work';

export interface ServiceRecord {
  /**
   * Does one thing, with room for its record held meanwhile: what cannot be recorded is not done. Work that did nothing
   * leaves no record; work that failed does.
   *
   * @returns what `work` says
   * @throws KmsError AUDIT_UNAVAILABLE, and whatever `work` throws
   */
  recorded(operation: string, about: About, work: RecordedWork): Promise<boolean>;
}

/** What it is done to. */
interface About {
  readonly keyId?: string;
  readonly details?: Readonly<Record<string, string | number>>;
}

type Outcome = Pick<AuditEntry, 'outcome' | 'error'>;

export function serviceRecord(audit: Audit, arns: Arns): ServiceRecord {
  const entryOf = (operation: string, { keyId, details }: About, outcome: Outcome): AuditEntry => ({
    time: new Date(),
    requestId: randomUUID(),
    protocol: 'service',
    operation,
    ...(keyId !== undefined && { key: arns.key(keyId as KeyId) }),
    ...outcome,
    ...(details && { details }),
  });
  return {
    async recorded(operation, about, work) {
      const reservation = await audit.reserve(recordBound(0));
      let isRecorded = false;
      const record = async (outcome: Outcome) => {
        if (isRecorded) return;
        isRecorded = true;
        await reservation.record(entryOf(operation, about, outcome));
      };
      try {
        const isDone = await work(() => record({ outcome: 'ok' }));
        if (isDone) await record({ outcome: 'ok' });
        return isDone;
      } catch (error) {
        await record({ outcome: 'failed', error: error instanceof KmsError ? error.code : 'INTERNAL' });
        throw error;
      } finally {
        reservation.release();
      }
    },
  };
}
