import type { Express, RequestHandler } from 'express';
import type { Kms } from '../kms/kms';
import { isLoopbackHost } from './host';
import { closed, mountHealth, mountMetrics, newApp, notAllowed, type Telling } from './operations';
import { text } from './respond';
import { serve } from './serve';
import { trent } from './trent/handler';

export interface AppParts extends Telling {
  readonly kms: Kms;
  /** Whether the Host header must name a loopback address: where requests are not authenticated. */
  readonly loopbackHostOnly: boolean;
  /** Whether this listener has the metrics, another one has them, or none has because clients reach this one. */
  readonly metricsAt: 'here' | 'elsewhere' | 'nowhere';
}

/** The service's HTTP interface: the protocols, and what its operators ask for. */
export function createApp({ kms, loopbackHostOnly, metricsAt, ...telling }: AppParts): Express {
  const app = newApp();
  if (loopbackHostOnly) app.use(assertLoopbackHost);
  app.post('/', serve(trent(kms), telling));
  app.all('/', notAllowed('POST'));
  mountHealth(app, telling);
  if (metricsAt === 'here') mountMetrics(app, telling);
  if (metricsAt === 'nowhere') app.all('/metrics', noMetrics);
  return closed(app, telling);
}

const assertLoopbackHost: RequestHandler = (request, response, next) => {
  if (isLoopbackHost(request.headers.host)) next();
  else text(response, 421, 'The Host header must name a loopback address.\n');
};

const noMetrics: RequestHandler = (_request, response) =>
  text(
    response,
    404,
    'The metrics are not for everybody who reaches this address: set P11KMS_METRICS_PORT.\n',
  );
