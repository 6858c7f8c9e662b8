/** The addresses on which the service listens: one for its clients, and where the settings say so one for the metrics. */
import { createKeyPairLimit } from './api/alibaba/key-pair-limit';
import type { Readiness } from './api/health';
import { type AppParts, createApp } from './api/http';
import { createMetricsApp } from './api/operations';
import { createQuota } from './api/quota';
import { type Listening, listen } from './api/server';
import type { Config } from './config/load';
import type { NetworkConfig } from './config/network';
import { isLoopback } from './config/network';
import { readTls, type TlsMaterial } from './config/tls';
import type { Logger } from './telemetry/logger';

export interface Listeners {
  readonly url: string;
  readonly metricsUrl?: string;
  /** Reads certificate, key and authorities anew. What is wrong with them is logged, and the old ones stay. */
  readonly reloadTls: () => void;
  /** As `Listening.close`. */
  close(timeoutMs: number): Promise<void>;
}

/** What the listeners serve; how is for the settings to say. */
export type Served = Omit<AppParts, 'admission' | 'tlsTerminated' | 'loopbackHostOnly' | 'metricsAt'> & {
  readonly ready: () => Promise<Readiness>;
};

/** @throws StartError where an address cannot be had, or a file that TLS needs */
export async function openListeners(
  config: NetworkConfig & Pick<Config, 'region' | 'lanes'>,
  served: Served,
): Promise<Listeners> {
  const { auth, listen: main, metricsListen } = config;
  const { logger, metrics } = served;
  // Whoever reaches a proxy reaches what it hands on.
  const metricsHere = isLoopback(main.host) && !config.tlsTerminated ? 'here' : 'nowhere';
  const app = createApp({
    ...served,
    admission: {
      auth,
      region: config.region,
      quota: createQuota(config.quota),
      keyPairLimit: createKeyPairLimit(config.alibabaKeyPairConcurrency),
    },
    tlsTerminated: config.tlsTerminated,
    loopbackHostOnly: auth === 'none',
    metricsAt: metricsListen ? 'elsewhere' : metricsHere,
  });
  const tls = config.tls && readTls(config.tls);
  if (tls?.warning) logger.warn(tls.warning);
  const clients = await listen(app, main.host, main.port, {
    ...(tls && { tls }),
    maxConnections: config.maxConnections,
    limits: { idleMs: longestAnswerMs(config.lanes) },
    onDropped: () => metrics.connectionsDropped.inc(),
  });
  const operators = metricsListen && (await listenForMetrics(metricsListen, served, clients));
  return {
    url: urlOf(tls ? 'https' : 'http', main.host, clients),
    ...(metricsListen && operators && { metricsUrl: urlOf('http', metricsListen.host, operators) }),
    reloadTls: () => reloadTls(config, clients, logger),
    close: async (timeoutMs) => {
      // To the last it can be seen how the service is.
      await clients.close(timeoutMs);
      await operators?.close(0);
    },
  };
}

async function listenForMetrics(
  { host, port }: NetworkConfig['listen'],
  served: Served,
  clients: Listening,
): Promise<Listening> {
  try {
    const settings = { host: 'P11KMS_METRICS_HOST', port: 'P11KMS_METRICS_PORT' };
    return await listen(createMetricsApp(served), host, port, {
      settings,
      maxConnections: METRICS_CONNECTIONS,
      limits: { idleMs: IDLE_MS },
    });
  } catch (error) {
    await clients.close(0);
    throw error;
  }
}

/** Longer than an idle connection is kept open. */
const IDLE_MS = 90_000;

/** An operation may make a key pair and export it, and wait as long as it works for each. */
function longestAnswerMs({ tokenTimeoutMs, keyPairTimeoutMs }: Config['lanes']): number {
  return IDLE_MS + 2 * (tokenTimeoutMs + keyPairTimeoutMs);
}

/** Scrapers and probes are few. */
const METRICS_CONNECTIONS = 64;

function reloadTls({ tls: files }: NetworkConfig, clients: Listening, logger: Logger): void {
  if (!files) return;
  let tls: TlsMaterial;
  try {
    tls = readTls(files);
    clients.renewTls(tls);
  } catch (error) {
    logger.error('the TLS certificate stays as it was', { error });
    return;
  }
  logger.info('TLS certificate reloaded', tls.about);
  if (tls.warning) logger.warn(tls.warning);
}

function urlOf(scheme: string, host: string, { port }: Listening): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
