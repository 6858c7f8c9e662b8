import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import type { AuditedProtocol } from './audited';
import { readBody } from './body';
import { createLongBodies, type LongBodies } from './long-bodies';
import type { RequestHead, RequestRecord } from './protocol';
import { respond } from './respond';
import type { ConnectionSource } from './source';

/** Of 3 MiB each: with what they are decoded to and answered with, some hundreds of megabytes. */
const MAX_LONG_BODIES = 32;

interface Telemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Joins protocols to Express: reads the body, sends the answer, logs and counts the request.
 *
 * @param protocolOf which protocol a request speaks
 * @param sourceOf where a request comes from
 */
export function serve(
  protocolOf: (head: RequestHead) => AuditedProtocol,
  telemetry: Telemetry,
  sourceOf: (request: IncomingMessage) => ConnectionSource,
): RequestHandler {
  const longBodies = createLongBodies(MAX_LONG_BODIES);
  return async (request, response) => {
    const started = performance.now();
    const id = randomUUID();
    // A client that goes away while it sends takes its address along.
    const source = sourceOf(request);
    const { method, url, headers, rawHeaders } = request;
    const isGone = () => response.destroyed;
    const takeLongBody = () => takeRoom(longBodies, response);
    const head = { id, method, url, headers, rawHeaders, source, isGone, takeLongBody };
    const protocol = protocolOf(head);
    let body: Buffer | undefined;
    try {
      body = await readBody(request, await protocol.bodyLimit(head));
    } catch {
      const record = { operation: protocol.operationOf(request), outcome: 'aborted', tokenMs: 0 };
      // There is nobody to be refused, and nothing was done.
      await protocol.lost({ id, headers, source }).catch(() => undefined);
      tell(telemetry, { id, protocol, ms: performance.now() - started }, record);
      return;
    }
    const answer = await protocol.answer({ ...head, body });
    // There may be a plaintext in it.
    body?.fill(0);
    respond(response, id, answer);
    const { status, record } = answer;
    tell(telemetry, { id, protocol, status, ms: performance.now() - started }, record);
  };
}

/** A response that has closed already would never give the room back. */
function takeRoom(longBodies: LongBodies, response: ServerResponse): boolean {
  if (response.destroyed) return false;
  const { take, giveBack } = longBodies.room();
  response.once('close', giveBack);
  return take();
}

interface Served {
  readonly id: string;
  readonly protocol: Pick<AuditedProtocol, 'name'>;
  /** Absent where nobody was left to be answered. */
  readonly status?: number;
  readonly ms: number;
}

function tell(
  { logger, metrics }: Telemetry,
  { id, protocol: { name: protocol }, status, ms }: Served,
  { operation, outcome, principal, keyId, tokenMs, denied, reason, error }: RequestRecord,
): void {
  metrics.requests.inc({ protocol, operation, outcome });
  metrics.requestSeconds.observe({ protocol, operation }, ms / 1000);
  const fields = {
    requestId: id,
    protocol,
    operation,
    principal,
    keyId,
    outcome,
    denied,
    reason,
    status,
    durationMs: rounded(ms),
    tokenMs: rounded(tokenMs),
  };
  if (error === undefined) logger.info('request', fields);
  else logger.error('request', { ...fields, error });
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
