/** The service, put together: settings in, a listening server out. */
import { readiness } from './api/health';
import { signingKey } from './api/trent/sigv4/verify';
import type { Audit } from './audit/audit';
import type { Config } from './config/load';
import { deliverRoot, rootCredentialsFile } from './credentials-file';
import type { StartError } from './errors';
import { cleanUp, type Housekeeping, keepHouse } from './housekeeping';
import { startToken, type Token } from './hsm/token';
import { createArns } from './kms/arns';
import { createGcmCalls } from './kms/gcm-calls';
import { createKeyDirectory } from './kms/key-directory';
import type { Kms } from './kms/kms';
import { createPrincipalDirectory } from './kms/principal-directory';
import { createRootPrincipal } from './kms/principals';
import { createSingleFlight } from './kms/single-flight';
import { createUsageLog } from './kms/usage-log';
import { type Listeners, openListeners } from './listeners';
import { type ServiceRecord, serviceRecord } from './service-record';
import type { StoreIdentity } from './store/identity';
import { lockDataDirectory } from './store/lock';
import { ROOT } from './store/principals';
import { openStore, type Store } from './store/store';
import { openStoreAudit, signatureOf } from './store-audit';
import type { Logger } from './telemetry/logger';
import { createMetrics } from './telemetry/metrics';
import { tokenObserver } from './telemetry/token-observer';
import { tokenAddress } from './token-address';

export interface Service {
  readonly url: string;
  /** Takes the certificate that is now in the files. */
  readonly reloadTls: () => void;
  /** Finishes what is in flight, ends the workers, closes the store: within 10 seconds. */
  close(): Promise<void>;
}

/** How far a file of the audit record reaches ahead of its records: it lasts a busy service for seconds. */
const AUDIT_STEP_BYTES = 1 << 20;

/** Together below the 10 seconds that supervisors leave a service to end. */
const GRACE_MS = { requests: 6_000, duties: 500, jobs: 500, records: 500 } as const;

/**
 * Starts the service.
 *
 * @param onFatal told once where the service cannot go on
 * @throws StartError
 */
export async function startService(
  config: Config,
  logger: Logger,
  onFatal: (error: StartError) => void,
): Promise<Service> {
  const unlock = lockDataDirectory(config.dataDir);
  let store: Store | undefined;
  let token: Token | undefined;
  let audit: Audit | undefined;
  try {
    store = await openStore(config.database ?? config.dataDir);
    const metrics = createMetrics(() => token?.stats().lanes ?? []);
    const observer = tokenObserver(logger, metrics);
    token = await openToken(store, (identity) =>
      startToken({ ...tokenAddress(config, identity), ...config.lanes, observer, onFatal }),
    );
    const { id } = await store.identity.read();
    const records = await openRecords(config, store, token, logger);
    audit = records;
    const arns = createArns(config.arnPrefix);
    const record = serviceRecord(records, arns);
    await makeRoot(config, store, token, logger, record);
    const kms = await kmsOf(config, { store, token, storeId: id, arns }, logger, record);
    // What cannot be removed now is tried again later, and said; it must not keep the service from starting.
    await cleanUp(kms, logger, record).catch(() => undefined);
    const ready = readiness({ token: token.ping, store: store.ping, audit: records.check }, logger);
    const listeners = await openListeners(config, { kms, audit: records, logger, metrics, ready });
    const housekeeping = keepHouse(kms, logger, record, { longestJobMs: longestJobMs(config) });
    const { url, metricsUrl, reloadTls } = listeners;
    logger.info('p11kms is ready', { url, metricsUrl, ...summary(token) });
    return { url, reloadTls, close: () => close(listeners, kms, records, housekeeping, unlock) };
  } catch (error) {
    await audit?.close();
    await token?.close(0);
    await store?.close();
    unlock();
    throw error;
  }
}

/** A job may wait as long as it may run. */
function longestJobMs({ lanes }: Config): number {
  return 2 * Math.max(lanes.tokenTimeoutMs, lanes.keyPairTimeoutMs);
}

/** Where the service key has to be made, one of the services that start at once does that, and the others wait. */
async function openToken(store: Store, start: (identity: StoreIdentity) => Promise<Token>): Promise<Token> {
  const { serviceKey } = await store.identity.read();
  const open = async () => {
    const token = await start(await store.identity.read());
    await store.identity.confirmServiceKey();
    return token;
  };
  return serviceKey.mayCreate ? store.exclusively('start', open) : open();
}

async function openRecords(
  { dataDir, audit }: Config,
  store: Store,
  { report, run }: Token,
  logger: Logger,
): Promise<Audit> {
  return openStoreAudit(store, {
    dataDir,
    ...audit,
    stepBytes: AUDIT_STEP_BYTES,
    signature: await signatureOf(store, { serial: report.token.serial, run }),
    onTrouble: (message, error) => logger.error(message, { error }),
  });
}

/** The first start makes the account's root principal; of the services that start at once, one does. */
async function makeRoot(
  { dataDir }: Config,
  store: Store,
  { run }: Token,
  logger: Logger,
  record: ServiceRecord,
): Promise<void> {
  const { id: storeId, serviceKey } = await store.identity.read();
  const issuer = {
    sealer: { run, storeId, serviceKey: serviceKey.id },
    deliver: deliverRoot(dataDir, store),
  };
  const credentials = rootCredentialsFile(dataDir);
  const made = await record.recorded('CreatePrincipal', { details: { name: ROOT, credentials } }, () =>
    store.exclusively('start', () => createRootPrincipal(store.principals, issuer)),
  );
  if (made) logger.info("the account's root principal was made", { credentials });
}

async function kmsOf(
  config: Config,
  { store, token, storeId, arns }: Pick<Kms, 'store' | 'token' | 'storeId' | 'arns'>,
  logger: Logger,
  record: ServiceRecord,
): Promise<Kms> {
  const { serviceKey } = await store.identity.read();
  const scope = { region: config.region, service: 'kms' } as const;
  const principals = await createPrincipalDirectory(
    { store, token, arns, storeId, serviceKey: serviceKey.id },
    (secret, date) => signingKey(secret, date, scope),
  );
  return {
    store,
    token,
    storeId,
    arns,
    keys: createKeyDirectory(store, arns),
    principals,
    gcmCalls: createGcmCalls(store, config.gcmCallsPerKeyVersion),
    usage: createUsageLog(store),
    exhausted: createSingleFlight(),
    privateKeyExport: config.privateKeyExport,
    async rotating(keyId, cause, work) {
      // The request for the others is recorded itself.
      const isOwn = cause !== 'on_demand';
      const rotated = await (isOwn
        ? record.recorded('RotateKey', { keyId, details: { cause } }, work)
        : work());
      if (rotated) logger.info('key rotated', { keyId, cause });
      return rotated;
    },
  };
}

function summary({ report }: Token) {
  const { module, token, dialect, specs, canExport, warnings } = report;
  return {
    module: `${module.description} ${module.version}`,
    token: token.label,
    serial: token.serial,
    wrapping: dialect.wrapping,
    specs: specs.filter(({ works }) => works).map(({ name }) => name),
    canExport,
    ...(warnings.length > 0 && { warnings }),
  };
}

async function close(
  listeners: Listeners,
  { token, store, usage }: Kms,
  audit: Audit,
  housekeeping: Housekeeping,
  unlock: () => void,
): Promise<void> {
  await Promise.all([listeners.close(GRACE_MS.requests), housekeeping.stop(GRACE_MS.duties)]);
  // What goes on without anybody waiting for its answer ends here, and is recorded.
  await token.endJobs(GRACE_MS.jobs);
  // When a key was last used is worth no failure.
  await usage.flush().catch(() => undefined);
  // Its last line is signed by the token.
  await audit.close(GRACE_MS.records);
  await token.close(0);
  await store.close();
  unlock();
}
