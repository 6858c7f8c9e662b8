import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Kms } from '../kms/kms';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import { type Checks, readiness } from './health';
import { isLoopbackHost } from './host';
import { respond } from './respond';
import { serve } from './serve';
import { trent } from './trent/handler';

export interface AppParts {
  readonly kms: Kms;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** For /readyz. */
  readonly checks: Checks;
}

/** The service's HTTP interface: the protocols, and what its operators ask for. */
export function createApp({ kms, logger, metrics, checks }: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.use(assertLoopbackHost);
  app.post('/', serve(trent(kms), { logger, metrics }));
  app.all('/', notAllowed('POST'));
  mountOperations(app, metrics, readiness(checks, logger));

  app.use((_request, response) => text(response, 404, 'Not found\n'));
  app.use(lastResort(logger));
  return app;
}

function mountOperations(app: Express, metrics: Metrics, ready: ReturnType<typeof readiness>): void {
  app.get('/healthz', (_request, response) => json(response, 200, { status: 'ok' }));
  app.get('/readyz', async (_request, response) => {
    const { ready: isReady, parts } = await ready();
    json(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'unavailable', parts });
  });
  app.get('/metrics', async (_request, response) => {
    const { registry } = metrics;
    const body = await registry.metrics();
    respond(response, randomUUID(), { status: 200, contentType: registry.contentType, body });
  });
  app.all(['/healthz', '/readyz', '/metrics'], notAllowed('GET, HEAD'));
}

const assertLoopbackHost: RequestHandler = (request, response, next) => {
  if (isLoopbackHost(request.headers.host)) next();
  else text(response, 421, 'The Host header must name a loopback address.\n');
};

function notAllowed(allowed: string): RequestHandler {
  return (_request, response) => {
    response.setHeader('Allow', allowed);
    text(response, 405, 'Method not allowed\n');
  };
}

/** What no handler has answered. Express's own last resort would show a client the stack. */
function lastResort(logger: Logger): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const requestId = randomUUID();
    logger.error('request failed', { requestId, error });
    if (response.headersSent) response.destroy();
    else text(response, 500, 'Internal error\n', requestId);
  };
}

type Response = Parameters<typeof respond>[0];

function text(response: Response, status: number, body: string, requestId: string = randomUUID()): void {
  respond(response, requestId, { status, contentType: 'text/plain; charset=utf-8', body });
}

function json(response: Response, status: number, value: object): void {
  const body = `${JSON.stringify(value)}\n`;
  respond(response, randomUUID(), { status, contentType: 'application/json', body });
}
