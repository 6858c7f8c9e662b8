import type { IncomingMessage } from 'node:http';
import type { Express, RequestHandler } from 'express';
import type { Audit } from '../audit/audit';
import type { Kms } from '../kms/kms';
import { type Admission as AlibabaAdmission, alibaba, speaksAlibaba } from './alibaba/handler';
import { audited } from './audited';
import { isLoopbackHost } from './host';
import { closed, mountHealth, mountMetrics, newApp, notAllowed, type Telling } from './operations';
import type { RequestHead } from './protocol';
import { text } from './respond';
import { serve } from './serve';
import { sourceOf } from './source';
import { trent, type Admission as TrentAdmission } from './trent/handler';

export interface AppParts extends Telling {
  readonly kms: Kms;
  readonly audit: Audit;
  readonly admission: TrentAdmission & AlibabaAdmission;
  /** Whether a proxy does TLS. */
  readonly tlsTerminated: boolean;
  /** Whether the Host header must name a loopback address: where requests are not authenticated. */
  readonly loopbackHostOnly: boolean;
  /** Whether this listener has the metrics, another one has them, or none has because clients reach this one. */
  readonly metricsAt: 'here' | 'elsewhere' | 'nowhere';
}

/** The service's HTTP interface: the protocols, and what its operators ask for. */
export function createApp(parts: AppParts): Express {
  const { kms, audit, admission, tlsTerminated, loopbackHostOnly, metricsAt, ...telling } = parts;
  const source = (request: IncomingMessage) => sourceOf(request, { tlsTerminated });
  const app = newApp();
  if (loopbackHostOnly) app.use(assertLoopbackHost);
  const trentService = audited(trent(kms, admission), audit, kms);
  const alibabaKms = audited(alibaba(kms, admission), audit, kms);
  const protocolOf = ({ headers }: RequestHead) => (speaksAlibaba(headers) ? alibabaKms : trentService);
  app.post('/', serve(protocolOf, telling, source));
  app.all('/', notAllowed('POST'));
  mountHealth(app, telling);
  if (metricsAt === 'here') {
    // They are not signed for: no web page whose name points here may read them.
    app.use('/metrics', assertLoopbackHost);
    mountMetrics(app, telling);
  }
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
