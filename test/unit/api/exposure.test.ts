import type { Express } from 'express';
import { createKeyPairLimit } from '../../../src/api/alibaba/key-pair-limit';
import { readiness } from '../../../src/api/health';
import { type AppParts, createApp } from '../../../src/api/http';
import { createMetricsApp } from '../../../src/api/operations';
import { createQuota } from '../../../src/api/quota';
import { type Listening, listen } from '../../../src/api/server';
import type { Audit } from '../../../src/audit/audit';
import type { Kms } from '../../../src/kms/kms';
import { createMetrics } from '../../../src/telemetry/metrics';
import { captureLog, send } from './support';

const { logger } = captureLog();
const telling = {
  logger,
  metrics: createMetrics(),
  ready: readiness({ token: async () => {}, store: async () => {} }, logger),
};

/** No request gets as far as these. */
const unreached = {
  kms: { token: { report: { dialect: { wrapping: 'gcm' }, token: { serial: '1' } } } } as unknown as Kms,
  audit: {} as Audit,
  admission: {
    auth: 'signature',
    region: 'us-east-1',
    quota: createQuota({}),
    keyPairLimit: createKeyPairLimit(),
  },
  tlsTerminated: false,
} as const;

type Exposure = Pick<AppParts, 'loopbackHostOnly' | 'metricsAt'>;

const main = (exposure: Exposure): Express => createApp({ ...telling, ...unreached, ...exposure });

let listening: Listening;
afterEach(() => listening.close(0));

const answer = async (app: Express, path: string, options: { host?: string; method?: string } = {}) => {
  listening = await listen(app, '127.0.0.1', 0);
  const { host = 'localhost', method = 'GET' } = options;
  const { status, body } = await send(listening.port, { path, method, headers: { host } });
  return { status, body };
};

describe('the Host header', () => {
  it.each([
    [true, 'evil.example', 421],
    [true, 'localhost', 200],
    [false, 'kms.example:8443', 200],
  ])(
    'must name a loopback address where that is asked (%s): %s is answered with %i',
    async (loopbackHostOnly, host, status) => {
      const app = main({ loopbackHostOnly, metricsAt: 'here' });
      expect(await answer(app, '/healthz', { host })).toMatchObject({ status });
    },
  );
});

describe('/metrics', () => {
  const at = (metricsAt: Exposure['metricsAt']) => main({ loopbackHostOnly: false, metricsAt });

  it('is served here', async () => {
    const { status, body } = await answer(at('here'), '/metrics');
    expect(status).toBe(200);
    expect(body).toContain('p11kms_connections_dropped_total 0');
  });

  it('is served nowhere, and the answer says what to set', async () => {
    expect(await answer(at('nowhere'), '/metrics')).toEqual({
      status: 404,
      body: 'The metrics are not for everybody who reaches this address: set P11KMS_METRICS_PORT.\n',
    });
  });

  it('is served elsewhere, of which nothing is said here', async () => {
    expect(await answer(at('elsewhere'), '/metrics')).toEqual({ status: 404, body: 'Not found\n' });
  });
});

describe("the metrics' own listener", () => {
  it.each([
    ['GET', '/metrics', 200],
    ['GET', '/healthz', 200],
    ['GET', '/readyz', 200],
    ['POST', '/metrics', 405],
    ['POST', '/', 404],
    ['GET', '/', 404],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect(
      await answer(createMetricsApp(telling), path, { method, host: 'prometheus.example' }),
    ).toMatchObject({
      status,
    });
  });
});
