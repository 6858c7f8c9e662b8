import type { Call } from '../kms/kms';
import type { Principal } from '../kms/principal-directory';
import type { ProtocolRequest, RequestRecord } from './protocol';

/** What is known of a request while it is on its way, whatever the protocol. */
export interface Trail {
  /** One of a closed set. */
  readonly operation: string;
  principal?: string;
  accessKeyId?: string;
  call?: Call;
}

/** The request as the domain gets it. */
export const callOf = (
  { id, source, isGone }: ProtocolRequest,
  operation: string,
  caller: Principal,
): Call => ({ requestId: id, operation, caller, source, tokenMs: 0, isGone });

/** @param outcome `ok`, or the name of the error that is answered */
export function recordOf({ operation, principal, accessKeyId, call }: Trail, outcome: string): RequestRecord {
  const { keyId, encryptionContext, from, wrapping, details, denied, tokenMs = 0 } = call ?? {};
  return {
    operation,
    outcome,
    principal,
    accessKeyId,
    keyId,
    encryptionContext,
    ...(from && { from }),
    ...(details && { details }),
    wrapping,
    denied,
    tokenMs,
  };
}
