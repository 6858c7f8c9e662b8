import { isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import type { Faults } from './faults';
import type { NETWORK_SETTINGS } from './network-settings';
import type { Values } from './settings';
import { checkTls, TlsFault, type TlsFiles } from './tls';

/** How the service may be reached, by whom, and how often. */
export interface NetworkConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly auth: Values['P11KMS_AUTH'];
  /** Where the service does TLS itself. */
  readonly tls?: TlsFiles;
  /** Whether a proxy does TLS. */
  readonly tlsTerminated: boolean;
  readonly maxConnections: number;
  /** A listener of its own for what operators ask. */
  readonly metricsListen?: { readonly host: string; readonly port: number };
  /** Requests per principal and second in each group of operations; no bound where there is none. */
  readonly quota: {
    readonly cryptographic?: number;
    readonly keyPairs?: number;
    readonly management?: number;
  };
  /** Key pairs at a time through Alibaba's protocol; no bound of its own where there is none. */
  readonly alibabaKeyPairConcurrency?: number;
}

export type NetworkSetting = keyof typeof NETWORK_SETTINGS;
/** As the sources give them: of the right form, or a fault of theirs is known already. */
type Given = Readonly<Record<string, unknown>>;
/** How a message names a setting, and where it came from. */
type Place = (name: NetworkSetting) => string;

/** Whether connections to this address come from this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Finds what is wrong with the settings of the listeners taken together, and with the files they name. */
export function checkNetwork(values: Given, place: Place, faults: Faults): void {
  checkExposure(values, place, faults);
  const { P11KMS_TLS_CERT_FILE: cert, P11KMS_TLS_KEY_FILE: key, P11KMS_TLS_CLIENT_CA_FILE: ca } = values;
  if (cert !== undefined && key === undefined) {
    faults.add(place('P11KMS_TLS_CERT_FILE'), 'needs P11KMS_TLS_KEY_FILE');
  }
  if (key !== undefined && cert === undefined) {
    faults.add(place('P11KMS_TLS_KEY_FILE'), 'needs P11KMS_TLS_CERT_FILE');
  }
  if (ca !== undefined && cert === undefined && key === undefined) {
    faults.add(place('P11KMS_TLS_CLIENT_CA_FILE'), 'needs P11KMS_TLS_CERT_FILE and P11KMS_TLS_KEY_FILE');
  }
  if (values.P11KMS_TLS_TERMINATED === 'true' && cert !== undefined) {
    faults.add(
      place('P11KMS_TLS_TERMINATED'),
      'must be false where P11KMS_TLS_CERT_FILE is set: either a proxy does TLS, or p11kms',
    );
  }
  checkFiles(values, place, faults);
}

function checkExposure(values: Given, place: Place, faults: Faults): void {
  const host = values.P11KMS_HOST;
  if (values.P11KMS_AUTH === 'none' && values.P11KMS_TLS_TERMINATED === 'true') {
    faults.add(
      place('P11KMS_AUTH'),
      'must be signature where P11KMS_TLS_TERMINATED is true, because others reach the service through the proxy',
    );
  }
  if (values.P11KMS_AUTH === 'none' && values.P11KMS_TLS_CLIENT_CA_FILE !== undefined) {
    faults.add(place('P11KMS_AUTH'), 'must be signature where P11KMS_TLS_CLIENT_CA_FILE is set');
  }
  if (typeof host !== 'string' || isLoopback(host)) return;
  if (values.P11KMS_AUTH === 'none' && values.P11KMS_TLS_TERMINATED !== 'true') {
    faults.add(
      place('P11KMS_AUTH'),
      'must be signature, because P11KMS_HOST is not a loopback address (127.0.0.0/8, ::1 or localhost)',
    );
  }
  if (values.P11KMS_TLS_TERMINATED === 'true') return;
  if (values.P11KMS_TLS_CERT_FILE !== undefined || values.P11KMS_TLS_KEY_FILE !== undefined) return;
  faults.add(
    place('P11KMS_HOST'),
    'is not a loopback address (127.0.0.0/8, ::1 or localhost), which needs TLS: set P11KMS_TLS_CERT_FILE and P11KMS_TLS_KEY_FILE, or P11KMS_TLS_TERMINATED=true where a proxy does it',
  );
}

function checkFiles(values: Given, place: Place, faults: Faults): void {
  const files = tlsFiles(values);
  if (!files) return;
  try {
    checkTls(files).key.fill(0);
  } catch (error) {
    if (!(error instanceof TlsFault)) throw error;
    faults.add(place(error.setting), `names a file that ${error.message}`);
  }
}

function tlsFiles(values: Given): TlsFiles | undefined {
  const { P11KMS_TLS_CERT_FILE: cert, P11KMS_TLS_KEY_FILE: key, P11KMS_TLS_CLIENT_CA_FILE: ca } = values;
  if (typeof cert !== 'string' || typeof key !== 'string') return undefined;
  return {
    certFile: resolve(cert),
    keyFile: resolve(key),
    ...(typeof ca === 'string' && { clientCaFile: resolve(ca) }),
  };
}

/** The part of the Config, of values in which `checkNetwork` has found no fault. */
export function toNetworkConfig(values: Values): NetworkConfig {
  const tls = tlsFiles(values);
  const keyPairs = values.P11KMS_ALIBABA_KEY_PAIR_CONCURRENCY;
  const metricsPort = values.P11KMS_METRICS_PORT;
  const metricsListen =
    metricsPort === undefined ? undefined : { host: values.P11KMS_METRICS_HOST, port: metricsPort };
  return {
    listen: Object.freeze({ host: values.P11KMS_HOST, port: values.P11KMS_PORT }),
    auth: values.P11KMS_AUTH,
    ...(tls && { tls: Object.freeze(tls) }),
    tlsTerminated: values.P11KMS_TLS_TERMINATED === 'true',
    maxConnections: values.P11KMS_MAX_CONNECTIONS,
    ...(metricsListen && { metricsListen: Object.freeze(metricsListen) }),
    quota: Object.freeze(quotaOf(values)),
    ...(keyPairs !== undefined && { alibabaKeyPairConcurrency: keyPairs }),
  };
}

function quotaOf(values: Values): NetworkConfig['quota'] {
  const {
    P11KMS_QUOTA_CRYPTOGRAPHIC: cryptographic,
    P11KMS_QUOTA_KEY_PAIRS: keyPairs,
    P11KMS_QUOTA_MANAGEMENT: management,
  } = values;
  return {
    ...(cryptographic !== undefined && { cryptographic }),
    ...(keyPairs !== undefined && { keyPairs }),
    ...(management !== undefined && { management }),
  };
}
