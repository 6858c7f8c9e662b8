/** The audit record of every request: room for it is made before the request, and it is on disk before the answer. */
import type { Audit, Reservation } from '../audit/audit';
import { recordBound } from '../audit/entry';
import type { Arns } from '../kms/arns';
import type { KeyId } from '../kms/key';
import type { Kms } from '../kms/kms';
import type { Protocol, ProtocolAnswer, ProtocolRequest } from './protocol';

/** A protocol whose requests are recorded. What cannot be recorded is not done, or at least not answered. */
export function audited(
  protocol: Protocol,
  audit: Audit,
  { arns, token }: Pick<Kms, 'arns' | 'token'>,
): Protocol {
  const { report } = token;
  const about = { wrapping: report.dialect.wrapping, tokenSerial: report.token.serial };

  const record = (time: Date, request: ProtocolRequest, answer: ProtocolAnswer, reservation: Reservation) =>
    reservation.record({
      time,
      requestId: request.id,
      protocol: protocol.name,
      ...(request.source.address !== undefined && { source: request.source.address }),
      ...entryOf(arns, answer),
      ...about,
    });

  return {
    ...protocol,
    async answer(request) {
      const time = new Date();
      try {
        const reservation = await audit.reserve(recordBound(request.body?.length ?? 0));
        const answer = await protocol.answer(request);
        await record(time, request, answer, reservation);
        return answer;
      } catch (error) {
        return protocol.refuse(request, error);
      }
    },
  };
}

function entryOf(arns: Arns, { status, record }: ProtocolAnswer) {
  const { operation, outcome, principal, accessKeyId, keyId, encryptionContext, denied } = record;
  return {
    operation,
    outcome: outcome === 'ok' ? 'ok' : status < 500 ? 'refused' : 'failed',
    ...(outcome !== 'ok' && { error: outcome }),
    ...(principal !== undefined && { principal }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(keyId !== undefined && { key: arns.key(keyId as KeyId) }),
    ...(encryptionContext && encryptionContext.size > 0 && { encryptionContext }),
    ...(denied !== undefined && { denied }),
  } as const;
}
