import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import type { Readiness } from './health';
import { json, respond, text } from './respond';

/** What the service tells its operators of itself. */
export interface Telling {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly ready: () => Promise<Readiness>;
}

/** The HTTP interface of a listener that clients do not reach: health and metrics, and nothing else. */
export function createMetricsApp(telling: Telling): Express {
  const app = newApp();
  mountHealth(app, telling);
  mountMetrics(app, telling);
  return closed(app, telling);
}

/** An Express app that says nothing of itself. */
export function newApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

/** The app, which answers whatever else is asked: with nothing of what went wrong. */
export function closed(app: Express, { logger }: Pick<Telling, 'logger'>): Express {
  app.use((_request, response) => text(response, 404, 'Not found\n'));
  app.use(lastResort(logger));
  return app;
}

export function mountHealth(app: Express, { ready }: Pick<Telling, 'ready'>): void {
  app.get('/healthz', (_request, response) => json(response, 200, { status: 'ok' }));
  app.get('/readyz', async (_request, response) => {
    const { ready: isReady, parts } = await ready();
    json(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'unavailable', parts });
  });
  app.all(['/healthz', '/readyz'], notAllowed('GET, HEAD'));
}

export function mountMetrics(app: Express, { metrics }: Pick<Telling, 'metrics'>): void {
  app.get('/metrics', async (_request, response) => {
    const { registry } = metrics;
    const body = await registry.metrics();
    respond(response, randomUUID(), { status: 200, contentType: registry.contentType, body });
  });
  app.all('/metrics', notAllowed('GET, HEAD'));
}

export function notAllowed(allowed: string): RequestHandler {
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
