import { type AddressInfo, createServer } from 'node:net';
import { connect } from 'node:tls';
import { readiness } from '../../src/api/health';
import type { Audit } from '../../src/audit/audit';
import { StartError } from '../../src/errors';
import type { Kms } from '../../src/kms/kms';
import { type Listeners, openListeners } from '../../src/listeners';
import { createMetrics } from '../../src/telemetry/metrics';
import { certificateDirectory, makeCertificate } from '../support/certificates';
import { metric } from '../support/metrics';
import { captureLog, type LogCapture, send } from './api/support';

const CONFIG = {
  listen: { host: '127.0.0.1', port: 0 },
  auth: 'signature',
  region: 'us-east-1',
  tlsTerminated: false,
  maxConnections: 2,
  quota: {},
} as const;

const files = certificateDirectory();

let log: LogCapture;
let listeners: Listeners | undefined;
beforeEach(() => {
  log = captureLog();
});
afterEach(async () => {
  await listeners?.close(0);
  listeners = undefined;
});

async function open(changes: Partial<Parameters<typeof openListeners>[0]>): Promise<Listeners> {
  const { logger } = log;
  listeners = await openListeners(
    { ...CONFIG, ...changes },
    {
      // No request gets as far as the domain.
      kms: { token: { report: { dialect: { wrapping: 'gcm' }, token: { serial: '1' } } } } as unknown as Kms,
      audit: {} as Audit,
      logger,
      metrics: createMetrics(),
      ready: readiness({}, logger),
    },
  );
  return listeners;
}

const portOf = (url: string | undefined): number => Number(new URL(String(url)).port);

describe('openListeners', () => {
  it('serves clients and metrics on one address', async () => {
    const { url, metricsUrl } = await open({});
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(metricsUrl).toBeUndefined();
    expect((await send(portOf(url), { path: '/metrics' })).status).toBe(200);
  });

  it.each([
    ['signature', 200],
    ['none', 421],
  ] as const)('with P11KMS_AUTH=%s answers other names for it with %i', async (auth, status) => {
    const { url } = await open({ auth });
    expect((await send(portOf(url), { path: '/healthz', headers: { host: 'kms.example' } })).status).toBe(
      status,
    );
  });

  it.each(['0.0.0.0', '127.0.0.1'])(
    'keeps metrics from those who come through a proxy to %s',
    async (host) => {
      const { url } = await open({ listen: { host, port: 0 }, tlsTerminated: true });
      const { status, body } = await send(portOf(url), { path: '/metrics' });
      expect({ status, body }).toEqual({ status: 404, body: expect.stringContaining('P11KMS_METRICS_PORT') });
    },
  );

  it('writes an IPv6 address as a URL has it, and serves metrics where it is told', async () => {
    const host = '::1';
    const { url, metricsUrl } = await open({ listen: { host, port: 0 }, metricsListen: { host, port: 0 } });
    expect([url, metricsUrl]).toEqual(Array(2).fill(expect.stringMatching(/^http:\/\/\[::1\]:\d+$/)));
    expect((await send(portOf(url), { host, path: '/metrics' })).status).toBe(404);
    expect((await send(portOf(metricsUrl), { host, path: '/metrics' })).status).toBe(200);
  });

  it('counts connections that were one too many', async () => {
    const { url, metricsUrl } = await open({ maxConnections: 1, metricsListen: CONFIG.listen });
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true });
    expect((await send(portOf(url), { path: '/healthz', agent })).status).toBe(200);
    await expect(send(portOf(url), { path: '/healthz' })).rejects.toThrow();
    agent.destroy();
    expect(await metric({ url: String(metricsUrl) }, 'p11kms_connections_dropped_total')).toBe(1);
  });

  it("names the metrics' setting where their port is taken, and leaves no other open", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const main = (free.address() as AddressInfo).port;
    await new Promise((resolve) => free.close(resolve));
    try {
      const listen = { host: '127.0.0.1', port: main };
      const error: unknown = await open({ listen, metricsListen: { host: '127.0.0.1', port } }).catch(
        (caught) => caught,
      );
      expect(error).toBeInstanceOf(StartError);
      expect((error as StartError).message).toBe(
        `cannot listen on 127.0.0.1 port ${port}: another process has the port; choose another with P11KMS_METRICS_PORT`,
      );
      await expect(send(main, { path: '/healthz' })).rejects.toThrow('ECONNREFUSED');
    } finally {
      other.close();
    }
  });
});

describe('reloadTls', () => {
  it('takes what is in the files, or says why not and keeps what there was; an early end is a warning', async () => {
    const first = makeCertificate({ cn: 'first', ca: true });
    const second = makeCertificate({ cn: 'second', ca: true, toDays: 3 });
    const { url, reloadTls } = await open({ tls: files.put('server', first) });
    const served = () =>
      new Promise((resolve, reject) => {
        const socket = connect({ port: portOf(url), host: '127.0.0.1', ca: first.cert + second.cert }, () => {
          resolve(socket.getPeerCertificate().subject.CN);
          socket.destroy();
        }).on('error', reject);
      });
    expect(url).toMatch(/^https:/);
    expect(await served()).toBe('first');
    files.put('server', second);
    reloadTls();
    expect(await served()).toBe('second');
    files.write('server.key', 'no key');
    reloadTls();
    expect(await served()).toBe('second');
    expect(log.lines()).toMatchObject([
      { level: 'info', message: 'TLS certificate reloaded', subject: 'CN=second' },
      { level: 'warn', message: expect.stringContaining('expires on') },
      {
        level: 'error',
        message: 'the TLS certificate stays as it was',
        error: { message: 'P11KMS_TLS_KEY_FILE names a file that holds no private key in PEM' },
      },
    ]);
  });
});
