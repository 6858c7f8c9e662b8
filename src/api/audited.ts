/** The audit record of every request: room for it is made before the request, and it is on disk before the answer. */
import type { Audit } from '../audit/audit';
import { type AuditEntry, recordBound } from '../audit/entry';
import type { Arns } from '../kms/arns';
import type { KeyId } from '../kms/key';
import type { Kms } from '../kms/kms';
import type { Protocol, ProtocolAnswer, ProtocolRequest } from './protocol';

/** A protocol whose requests are recorded. What cannot be recorded is not done, or at least not answered. */
export interface AuditedProtocol extends Protocol {
  /** Records a request that never came to its end. */
  lost(request: LostRequest): Promise<void>;
}

export type LostRequest = Pick<ProtocolRequest, 'id' | 'headers' | 'source'>;

export function audited(
  protocol: Protocol,
  audit: Audit,
  { arns, token }: Pick<Kms, 'arns' | 'token'>,
): AuditedProtocol {
  const tokenSerial = token.report.token.serial;
  const entryOf = (time: Date, { id, source }: LostRequest) => ({
    time,
    requestId: id,
    protocol: protocol.name,
    ...(source.address !== undefined && { source: source.address }),
    tokenSerial,
  });

  return {
    ...protocol,
    async answer(request) {
      const entry = entryOf(new Date(), request);
      try {
        const reservation = await audit.reserve(recordBound(request.body?.length ?? 0));
        const answer = await protocol.answer(request);
        try {
          await reservation.record({ ...entry, ...endOf(arns, answer) });
        } catch (error) {
          if (Buffer.isBuffer(answer.body)) answer.body.fill(0);
          throw error;
        }
        return answer;
      } catch (error) {
        return protocol.refuse(request, error);
      }
    },
    async lost(request) {
      const entry = entryOf(new Date(), request);
      const operation = protocol.operationOf(request);
      const reservation = await audit.reserve(recordBound(0));
      await reservation.record({ ...entry, operation, outcome: 'failed', error: 'aborted' });
    },
  };
}

/** What a request came to. */
function endOf(arns: Arns, { status, record }: ProtocolAnswer) {
  const { operation, outcome, principal, accessKeyId, keyId, encryptionContext, from, denied } = record;
  const { wrapping, details } = record;
  const end: Pick<AuditEntry, 'operation' | 'outcome'> = {
    operation,
    outcome: outcome === 'ok' ? 'ok' : status < 500 ? 'refused' : 'failed',
  };
  return {
    ...end,
    ...(outcome !== 'ok' && { error: outcome }),
    ...(principal !== undefined && { principal }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(keyId !== undefined && { key: arns.key(keyId as KeyId) }),
    ...(encryptionContext && encryptionContext.size > 0 && { encryptionContext }),
    ...(from && { sourceKey: arns.key(from.keyId as KeyId) }),
    ...(from?.encryptionContext && { sourceEncryptionContext: from.encryptionContext }),
    ...(denied !== undefined && { denied }),
    ...(wrapping !== undefined && { wrapping }),
    ...(details && { details }),
  };
}
