import { resolve } from 'node:path';
import { Ajv } from 'ajv';
import { StartError } from '../errors';
import { DatabaseUrl, databaseUrlFault, hasPassword } from './database-url';
import { Faults } from './faults';
import { FileFault } from './files';
import { checkNetwork, type NetworkConfig, toNetworkConfig } from './network';
import { type PinSource, PinValue } from './pin';
import { readSecretFile } from './secret-file';
import { expectation, type SettingName, settings, type Values } from './settings';
import { environmentSource, fileSource, type Source } from './sources';

/** What the service was told, checked and complete. Frozen; shown by JSON or util.inspect, it holds no secret. */
export interface Config extends NetworkConfig {
  readonly pkcs11: {
    /** Absolute path. */
    readonly module: string;
    readonly tokenLabel: string;
    /** For modules that take library parameters at C_Initialize. */
    readonly initArgs?: string;
    readonly gcmIv: Values['P11KMS_GCM_IV'];
  };
  readonly pin: PinSource;
  /** Absolute path. */
  readonly dataDir: string;
  /** Where the store is; in the data directory where there is none. */
  readonly database?: DatabaseUrl;
  /** Without a colon at its end. */
  readonly arnPrefix: string;
  /** What the credential scope of a signature names. */
  readonly region: string;
  readonly privateKeyExport: Values['P11KMS_PRIVATE_KEY_EXPORT'];
  /** AES-GCM calls, after which a key version is replaced. */
  readonly gcmCallsPerKeyVersion: number;
  readonly logLevel: Values['P11KMS_LOG_LEVEL'];
  readonly audit: {
    /** The size at which a file is closed and the next one begun. */
    readonly fileBytes: number;
    /** Lines between two signed checkpoints. */
    readonly checkpointEvery: number;
  };
  readonly lanes: {
    readonly tokenWorkers: number;
    readonly keyPairWorkers: number;
    readonly tokenTimeoutMs: number;
    readonly keyPairTimeoutMs: number;
    /** Jobs that may wait in one lane. */
    readonly queue: number;
    /** Jobs after which a worker is replaced. */
    readonly workerJobs: number;
  };
}

// The compiler has seen that the settings' schemas are schemas.
const isComplete = new Ajv({ allErrors: true, validateSchema: false }).compile<Values>({
  type: 'object',
  properties: Object.fromEntries(settings.map(([name, { schema }]) => [name, schema])),
  required: settings.filter(([, row]) => row.required || row.default !== undefined).map(([name]) => name),
});

/**
 * Reads the settings from the environment and from the JSON file that it names, and takes P11KMS_PIN and
 * P11KMS_DATABASE_URL out of `env`, so that no child process inherits them. Throws StartError with every fault
 * on a line of its own.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const faults = new Faults();
  const { sources, values, isWhole } = gather(env, faults, settings);
  const pin = findPin(sources, faults);
  checkNetwork(values, (name) => giver(name, sources)?.place(name) ?? name, faults);
  // What is missing may be in the file that cannot be read.
  if (isWhole) checkNothingMissing(values, faults);
  if (faults.lines.length === 0 && pin && isComplete(values)) return toConfig(values, pin);
  throw new StartError(faults.lines.join('\n'));
}

/** Where the store is. */
export type StoreConfig = Pick<Config, 'dataDir' | 'database'>;

const STORE_SETTINGS = ['P11KMS_DATA_DIR', 'P11KMS_DATABASE_URL'] as const;

/**
 * Reads the settings as `loadConfig` does, for a command that does not touch the token: whoever runs it need not know
 * the PIN, nor have the module.
 *
 * @throws StartError for a fault in what says where the store is, and for unknown settings
 */
export function loadStoreConfig(env: NodeJS.ProcessEnv): StoreConfig {
  return toStoreConfig(someOf(env, STORE_SETTINGS));
}

/** Where the store is, and what the account's principals are called. */
export type AccountConfig = StoreConfig & Pick<Config, 'arnPrefix'>;

/** As `loadStoreConfig`. */
export function loadAccountConfig(env: NodeJS.ProcessEnv): AccountConfig {
  const values = someOf(env, [...STORE_SETTINGS, 'P11KMS_ARN_PREFIX']);
  return { ...toStoreConfig(values), arnPrefix: values.P11KMS_ARN_PREFIX };
}

function someOf<N extends SettingName & keyof Values>(
  env: NodeJS.ProcessEnv,
  names: readonly N[],
): Pick<Values, N> {
  const faults = new Faults();
  const wanted = settings.filter(([name]) => names.some((one) => one === name));
  const { values } = gather(env, faults, wanted);
  if (faults.lines.length > 0) throw new StartError(faults.lines.join('\n'));
  return values as Pick<Values, N>;
}

interface Gathered {
  readonly sources: readonly Source[];
  /** Of the settings that were asked for; not yet checked as a whole. */
  readonly values: Record<string, unknown>;
  /** Whether every source could be read. */
  readonly isWhole: boolean;
}

/** What the sources say of the settings in `wanted`, and what is wrong with it. */
function gather(env: NodeJS.ProcessEnv, faults: Faults, wanted: typeof settings): Gathered {
  const environment = environmentSource(env, faults);
  delete env.P11KMS_PIN;
  delete env.P11KMS_DATABASE_URL;
  const path = environment.values.get('P11KMS_CONFIG');
  const file = typeof path === 'string' ? fileSource(path, faults) : undefined;
  const sources = file ? [environment, file] : [environment];
  for (const source of sources) checkForm(source, faults, wanted);
  const values = Object.fromEntries(
    wanted.map(([name, setting]) => [name, giver(name, sources)?.values.get(name) ?? setting.default]),
  );
  checkMeaning(values, sources, faults, wanted);
  checkUnexposed(sources, faults);
  return { sources, values, isWhole: path === undefined || file !== undefined };
}

function giver(name: SettingName, sources: readonly Source[]): Source | undefined {
  return sources.find((source) => source.values.has(name));
}

function checkForm(source: Source, faults: Faults, wanted: typeof settings): void {
  isComplete(Object.fromEntries(source.values));
  const malformed = new Set(isComplete.errors?.map((error) => error.instancePath.slice(1)));
  for (const [name, setting] of wanted) {
    if (malformed.has(name)) faults.add(source.place(name), expectation(setting));
  }
}

/** Only of the values that count: a file may name a module that another machine has. */
function checkMeaning(
  values: Record<string, unknown>,
  sources: readonly Source[],
  faults: Faults,
  wanted: typeof settings,
): void {
  for (const [name, { check }] of wanted) {
    const value = values[name];
    const fault = typeof value === 'string' ? check?.(value) : undefined;
    if (fault !== undefined) faults.add(giver(name, sources)?.place(name) ?? name, fault);
  }
}

function checkNothingMissing(values: Record<string, unknown>, faults: Faults): void {
  for (const [name, setting] of settings) {
    if (setting.required && values[name] === undefined) faults.add(name, 'is required');
  }
  if (values.P11KMS_PIN === undefined && values.P11KMS_PIN_FILE === undefined) {
    faults.add('P11KMS_PIN or P11KMS_PIN_FILE', 'is required');
  }
}

function checkUnexposed(sources: readonly Source[], faults: Faults): void {
  for (const { exposed, values, place } of sources) {
    if (!exposed) continue;
    for (const name of ['P11KMS_PIN', 'P11KMS_DATABASE_URL'] as const) {
      if (isSecret(name, values.get(name)))
        faults.add(place(name), "is readable by the file's group or by others: chmod 600 the file");
    }
  }
}

function isSecret(name: 'P11KMS_PIN' | 'P11KMS_DATABASE_URL', value: unknown): boolean {
  if (name === 'P11KMS_PIN') return value !== undefined;
  return typeof value === 'string' && databaseUrlFault(value) === undefined && hasPassword(value);
}

function findPin(sources: readonly Source[], faults: Faults): PinSource | undefined {
  const [byValue, byFile] = [giver('P11KMS_PIN', sources), giver('P11KMS_PIN_FILE', sources)];
  if (byValue && byFile) {
    const places = `${byValue.place('P11KMS_PIN')} and ${byFile.place('P11KMS_PIN_FILE')}`;
    faults.add(places, 'are both set: exactly one of them is needed');
    return undefined;
  }
  const value = byValue?.values.get('P11KMS_PIN');
  if (typeof value === 'string') return new PinValue(value);
  const path = byFile?.values.get('P11KMS_PIN_FILE');
  if (!byFile || typeof path !== 'string') return undefined;
  checkPinFile(path, byFile.place('P11KMS_PIN_FILE'), faults);
  return { kind: 'file', path: resolve(path) };
}

function checkPinFile(path: string, place: string, faults: Faults): void {
  try {
    readSecretFile(path).secret.fill(0);
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    faults.add(place, `names a file that ${error.message}`);
  }
}

function toConfig(values: Values, pin: PinSource): Config {
  const initArgs = values.P11KMS_PKCS11_INIT_ARGS;
  Object.freeze(pin);
  return Object.freeze({
    pkcs11: Object.freeze({
      module: values.P11KMS_PKCS11_MODULE,
      tokenLabel: values.P11KMS_TOKEN_LABEL,
      ...(initArgs === undefined ? {} : { initArgs }),
      gcmIv: values.P11KMS_GCM_IV,
    }),
    pin,
    ...toStoreConfig(values),
    ...toNetworkConfig(values),
    arnPrefix: values.P11KMS_ARN_PREFIX,
    region: values.P11KMS_REGION ?? regionOf(values.P11KMS_ARN_PREFIX),
    privateKeyExport: values.P11KMS_PRIVATE_KEY_EXPORT,
    gcmCallsPerKeyVersion: values.P11KMS_GCM_CALLS_PER_KEY_VERSION,
    logLevel: values.P11KMS_LOG_LEVEL,
    audit: Object.freeze({
      fileBytes: values.P11KMS_AUDIT_FILE_BYTES,
      checkpointEvery: values.P11KMS_AUDIT_CHECKPOINT_LINES,
    }),
    lanes: Object.freeze({
      tokenWorkers: values.P11KMS_TOKEN_WORKERS,
      keyPairWorkers: values.P11KMS_KEY_PAIR_WORKERS,
      tokenTimeoutMs: values.P11KMS_TOKEN_TIMEOUT_MS,
      keyPairTimeoutMs: values.P11KMS_KEY_PAIR_TIMEOUT_MS,
      queue: values.P11KMS_TOKEN_QUEUE,
      workerJobs: values.P11KMS_WORKER_JOBS,
    }),
  });
}

/** Only AWS's form of an ARN has a region: arn:aws:kms:REGION:ACCOUNT. */
function regionOf(arnPrefix: string): string {
  const fields = arnPrefix.split(':');
  return (fields.length === 5 && fields[3]) || 'us-east-1';
}

function toStoreConfig(values: Pick<Values, 'P11KMS_DATA_DIR' | 'P11KMS_DATABASE_URL'>): StoreConfig {
  const url = values.P11KMS_DATABASE_URL;
  const database = url === undefined ? undefined : new DatabaseUrl(url);
  Object.freeze(database);
  return { dataDir: resolve(values.P11KMS_DATA_DIR), ...(database && { database }) };
}
