import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import type { AuditedProtocol } from './audited';
import { readBody } from './body';
import type { RequestHead, RequestRecord } from './protocol';
import { respond } from './respond';
import type { ConnectionSource } from './source';

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
  return async (request, response) => {
    const started = performance.now();
    const id = randomUUID();
    // A client that goes away while it sends takes its address along.
    const source = sourceOf(request);
    const { method, url, headers, rawHeaders } = request;
    const head = { id, method, url, headers, rawHeaders, source, isGone: () => response.destroyed };
    const protocol = protocolOf(head);
    let body: Buffer | undefined;
    try {
      body = await readBody(request, await protocol.bodyLimit(head));
    } catch {
      const record = { operation: protocol.operationOf(request), outcome: 'aborted', tokenMs: 0 };
      // There is nobody to be refused, and nothing was done.
      await protocol.lost({ id, headers, source }).catch(() => undefined);
      tell(telemetry, id, undefined, performance.now() - started, record);
      return;
    }
    const answer = await protocol.answer({ ...head, body });
    respond(response, id, answer);
    tell(telemetry, id, answer.status, performance.now() - started, answer.record);
  };
}

function tell(
  { logger, metrics }: Telemetry,
  requestId: string,
  status: number | undefined,
  ms: number,
  { operation, outcome, principal, keyId, tokenMs, error }: RequestRecord,
): void {
  metrics.requests.inc({ operation, outcome });
  metrics.requestSeconds.observe({ operation }, ms / 1000);
  const fields = {
    requestId,
    operation,
    principal,
    keyId,
    outcome,
    status,
    durationMs: rounded(ms),
    tokenMs: rounded(tokenMs),
  };
  if (error === undefined) logger.info('request', fields);
  else logger.error('request', { ...fields, error });
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
