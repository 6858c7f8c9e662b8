import { resolve } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { DatabaseUrl } from '../../../src/config/database-url';
import { loadConfig } from '../../../src/config/load';
import { readPin } from '../../../src/config/pin';
import { settings } from '../../../src/config/settings';
import { StartError } from '../../../src/errors';
import { certificateDirectory, makeCertificate } from '../../support/certificates';
import { dir, faultsOf, file, folder, unprivileged } from './fixture';

const PIN = 'correct-horse-battery';
const module_ = file('not really a library');
const pinFile = file(`${PIN}\n`);
const certificate = certificateDirectory().put('server', makeCertificate({ cn: 'localhost' }));
const enough = { P11KMS_PKCS11_MODULE: module_, P11KMS_TOKEN_LABEL: 'p11kms', P11KMS_PIN_FILE: pinFile };

/** Loads `enough` with changes; `undefined` unsets a variable. */
const load = (changes: NodeJS.ProcessEnv = {}) => loadConfig({ ...enough, ...changes });
const faults = (changes: NodeJS.ProcessEnv) => faultsOf(() => load(changes));
const json = (content: unknown, mode = 0o600) => file(JSON.stringify(content), mode);

describe('loadConfig', () => {
  it('fills in the defaults', () => {
    expect(load()).toEqual({
      pkcs11: { module: module_, tokenLabel: 'p11kms', gcmIv: 'host' },
      pin: { kind: 'file', path: pinFile },
      dataDir: resolve('data'),
      listen: { host: '127.0.0.1', port: 8080 },
      auth: 'signature',
      tlsTerminated: false,
      maxConnections: 1024,
      quota: {},
      arnPrefix: 'arn:aws:kms:us-east-1:111122223333',
      region: 'us-east-1',
      privateKeyExport: 'on-request',
      gcmCallsPerKeyVersion: 2 ** 32,
      logLevel: 'info',
      audit: { fileBytes: 64 * 2 ** 20, checkpointEvery: 1000 },
      lanes: {
        tokenWorkers: 2,
        keyPairWorkers: 2,
        tokenTimeoutMs: 10_000,
        keyPairTimeoutMs: 60_000,
        queue: 256,
        workerJobs: 50_000,
      },
    });
  });

  const everything = {
    P11KMS_DATA_DIR: '/var/lib/p11kms',
    P11KMS_DATABASE_URL: 'postgres://db.example/p11kms',
    P11KMS_HOST: '::1',
    P11KMS_PORT: '0',
    P11KMS_AUTH: 'signature',
    P11KMS_TLS_CERT_FILE: certificate.certFile,
    P11KMS_TLS_KEY_FILE: certificate.keyFile,
    P11KMS_TLS_CLIENT_CA_FILE: certificate.certFile,
    P11KMS_TLS_TERMINATED: 'false',
    P11KMS_MAX_CONNECTIONS: '7',
    P11KMS_METRICS_PORT: '0',
    P11KMS_METRICS_HOST: '0.0.0.0',
    P11KMS_QUOTA_CRYPTOGRAPHIC: '8',
    P11KMS_QUOTA_KEY_PAIRS: '9',
    P11KMS_QUOTA_MANAGEMENT: '10',
    P11KMS_AUDIT_FILE_BYTES: '1048576',
    P11KMS_AUDIT_CHECKPOINT_LINES: '11',
    P11KMS_ARN_PREFIX: 'arn:verenc:111122223333',
    P11KMS_REGION: 'eu-west-1',
    P11KMS_PRIVATE_KEY_EXPORT: 'never',
    P11KMS_LOG_LEVEL: 'debug',
    P11KMS_PKCS11_INIT_ARGS: "configdir='sql:/db'",
    P11KMS_GCM_IV: 'token',
    P11KMS_GCM_CALLS_PER_KEY_VERSION: '1000000',
    P11KMS_TOKEN_TIMEOUT_MS: '1000',
    P11KMS_KEY_PAIR_TIMEOUT_MS: '2000',
    P11KMS_TOKEN_WORKERS: '3',
    P11KMS_KEY_PAIR_WORKERS: '4',
    P11KMS_TOKEN_QUEUE: '5',
    P11KMS_WORKER_JOBS: '6',
  };
  const everythingInFile = {
    pkcs11Module: module_,
    tokenLabel: 'p11kms',
    pinFile,
    dataDir: '/var/lib/p11kms',
    databaseUrl: 'postgres://db.example/p11kms',
    host: '::1',
    port: 0,
    auth: 'signature',
    tlsCertFile: certificate.certFile,
    tlsKeyFile: certificate.keyFile,
    tlsClientCaFile: certificate.certFile,
    tlsTerminated: false,
    maxConnections: 7,
    metricsPort: 0,
    metricsHost: '0.0.0.0',
    quotaCryptographic: 8,
    quotaKeyPairs: 9,
    quotaManagement: 10,
    auditFileBytes: 1_048_576,
    auditCheckpointLines: 11,
    arnPrefix: 'arn:verenc:111122223333',
    region: 'eu-west-1',
    privateKeyExport: 'never',
    logLevel: 'debug',
    pkcs11InitArgs: "configdir='sql:/db'",
    gcmIv: 'token',
    gcmCallsPerKeyVersion: 1_000_000,
    tokenTimeoutMs: 1000,
    keyPairTimeoutMs: 2000,
    tokenWorkers: 3,
    keyPairWorkers: 4,
    tokenQueue: 5,
    workerJobs: 6,
  };
  const expected = {
    pkcs11: { module: module_, tokenLabel: 'p11kms', initArgs: "configdir='sql:/db'", gcmIv: 'token' },
    pin: { kind: 'file', path: pinFile },
    dataDir: '/var/lib/p11kms',
    database: new DatabaseUrl('postgres://db.example/p11kms'),
    listen: { host: '::1', port: 0 },
    auth: 'signature',
    tls: { ...certificate, clientCaFile: certificate.certFile },
    tlsTerminated: false,
    maxConnections: 7,
    metricsListen: { host: '0.0.0.0', port: 0 },
    quota: { cryptographic: 8, keyPairs: 9, management: 10 },
    arnPrefix: 'arn:verenc:111122223333',
    region: 'eu-west-1',
    privateKeyExport: 'never',
    gcmCallsPerKeyVersion: 1_000_000,
    logLevel: 'debug',
    audit: { fileBytes: 1_048_576, checkpointEvery: 11 },
    lanes: {
      tokenWorkers: 3,
      keyPairWorkers: 4,
      tokenTimeoutMs: 1000,
      keyPairTimeoutMs: 2000,
      queue: 5,
      workerJobs: 6,
    },
  };

  it('takes everything from the environment', () => {
    expect(load(everything)).toEqual(expected);
  });

  it('takes everything from the file', () => {
    expect(loadConfig({ P11KMS_CONFIG: json(everythingInFile) })).toEqual(expected);
  });

  it('lets the environment win over the file', () => {
    const P11KMS_CONFIG = json({ ...everythingInFile, pkcs11Module: '/not/on/this/machine', port: 1 });
    const config = loadConfig({ P11KMS_CONFIG, P11KMS_PKCS11_MODULE: module_, P11KMS_PORT: '7' });
    expect(config).toEqual({ ...expected, listen: { host: '::1', port: 7 } });
  });

  it('takes an empty variable as unset, known or not, and leaves other variables alone', () => {
    const env = { P11KMS_PORT: '', P11KMS_PIN: '', P11KMS_CONFIG: '', P11KMS_OTHER: '', PORT: 'x' };
    expect(load(env).listen.port).toBe(8080);
  });

  it('is frozen all through', () => {
    const { pkcs11, pin, listen, lanes, quota, audit, ...rest } = load();
    for (const part of [load(), pkcs11, pin, listen, lanes, quota, audit])
      expect(Object.isFrozen(part)).toBe(true);
    expect(Object.values(rest).every((value) => typeof value !== 'object')).toBe(true);
  });
});

describe('the PIN', () => {
  const given = { P11KMS_PIN: PIN, P11KMS_PIN_FILE: undefined };

  it('leaves the environment it came in', () => {
    const env: NodeJS.ProcessEnv = { ...enough, ...given };
    expect(readPin(loadConfig(env).pin).toString()).toBe(PIN);
    expect(env).not.toHaveProperty('P11KMS_PIN');
  });

  it('leaves the environment even if the start fails', () => {
    const env: NodeJS.ProcessEnv = { ...given };
    faultsOf(() => loadConfig(env));
    expect(env).not.toHaveProperty('P11KMS_PIN');
  });

  it('may be in a JSON file that only its owner can read', () => {
    const P11KMS_CONFIG = json({ pin: PIN });
    expect(readPin(load({ P11KMS_CONFIG, P11KMS_PIN_FILE: undefined }).pin).toString()).toBe(PIN);
  });

  it.each([0o640, 0o604])('may not be in a JSON file of mode %o, even if another PIN wins', (mode) => {
    const P11KMS_CONFIG = json({ pin: PIN }, mode);
    const line = `key "pin" in ${P11KMS_CONFIG} is readable by the file's group or by others: chmod 600 the file`;
    expect(faults({ P11KMS_CONFIG, P11KMS_PIN_FILE: undefined })).toEqual([line]);
    expect(faults({ P11KMS_CONFIG, ...given })).toEqual([line]);
  });

  it('is not shown by a Config', () => {
    const config = load(given);
    const shown = JSON.stringify(config) + inspect(config, { showHidden: true, depth: 99 });
    expect(shown).not.toContain(PIN);
    expect(shown).not.toContain(String([...Buffer.from(PIN)].slice(0, 3)));
    expect(shown).not.toContain(Buffer.from(PIN).toString('hex', 0, 4));
  });
});

const OF_PORT = 'must be a whole number from 0 to 65535';
const OF_MS = 'must be a whole number from 100 to 3600000';
const OF_WORKERS = 'must be a whole number from 1 to 256';
const OF_ARN =
  'must look like arn:aws:kms:us-east-1:111122223333 or arn:verenc:111122223333, without a colon at the end';
const OF_TEXT = 'must be a string that is not empty';
const OF_LABEL = 'must be at most 32 bytes long';

describe('a bad environment variable is refused', () => {
  it.each([
    ['P11KMS_PORT', '65536', OF_PORT],
    ['P11KMS_PORT', '-1', OF_PORT],
    ['P11KMS_PORT', '80.0', OF_PORT],
    ['P11KMS_PORT', '0x50', OF_PORT],
    ['P11KMS_PORT', ' 80', OF_PORT],
    ['P11KMS_PORT', '1e3', OF_PORT],
    ['P11KMS_PORT', '9'.repeat(400), OF_PORT],
    ['P11KMS_ARN_PREFIX', 'arn:aws:kms:us-east-1:111122223333:', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'arn:aws', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'aws:kms:us-east-1:1', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'arn:aws:kms::1', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'arn:aws:kms:us east:1', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'arn:aws:kms:us-east-1:1/x', OF_ARN],
    ['P11KMS_ARN_PREFIX', 'arn:aws:kms:us-east-1:1\n', OF_ARN],
    ['P11KMS_ARN_PREFIX', `arn:aws:${'1'.repeat(256)}`, OF_ARN],
    ['P11KMS_PRIVATE_KEY_EXPORT', 'NEVER', 'must be one of never, on-request, aws'],
    ['P11KMS_LOG_LEVEL', 'trace', 'must be one of error, warn, info, debug'],
    ['P11KMS_GCM_IV', 'client', 'must be one of host, token'],
    ['P11KMS_TOKEN_TIMEOUT_MS', '0', OF_MS],
    ['P11KMS_KEY_PAIR_TIMEOUT_MS', '60s', OF_MS],
    ['P11KMS_TOKEN_WORKERS', '0', OF_WORKERS],
    ['P11KMS_KEY_PAIR_WORKERS', '257', OF_WORKERS],
    ['P11KMS_TOKEN_QUEUE', '0', 'must be a whole number from 1 to 100000'],
    ['P11KMS_WORKER_JOBS', '0', 'must be a whole number from 1 to 1000000000'],
    ['P11KMS_TOKEN_LABEL', 'x'.repeat(33), OF_LABEL],
    ['P11KMS_TOKEN_LABEL', 'ä'.repeat(17), OF_LABEL],
    ['P11KMS_PKCS11_MODULE', 'libsofthsm2.so', 'must be an absolute path'],
    ['P11KMS_PKCS11_MODULE', '/not/here.so', 'names /not/here.so, which does not exist'],
    ['P11KMS_PKCS11_MODULE', dir, `names ${dir}, which is not a regular file`],
    ['P11KMS_PIN_FILE', '/not/here', 'names a file that does not exist'],
    ['P11KMS_PIN_FILE', dir, 'names a file that is not a regular file'],
    ['P11KMS_CONFIG', '/not/here', 'names /not/here, which does not exist'],
    ['P11KMS_CONFIG', dir, `names ${dir}, which is not a regular file`],
    ['P11KMS_PROT', '1', 'is not a setting; did you mean P11KMS_PORT?'],
    ['P11KMS_TOKEN_LABLE', 'x', 'is not a setting; did you mean P11KMS_TOKEN_LABEL?'],
    ['P11KMS_port', '1', 'is not a setting; did you mean P11KMS_PORT?'],
    ['P11KMS_SOMETHING', 'x', 'is not a setting'],
    ['P11KMS___proto__', 'x', 'is not a setting'],
    ['P11KMS_', 'x', 'is not a setting'],
    ['P11KMS_A\nB', 'x', 'is not a setting'],
  ])('%s=%j', (name, value, fault) => {
    expect(faults({ [name]: value })).toEqual([`environment variable ${name.replace('\n', '?')} ${fault}`]);
  });

  it.each([
    ['P11KMS_PKCS11_MODULE', (path: string) => `names ${path}, which`],
    ['P11KMS_CONFIG', (path: string) => `names ${path}, which`],
    ['P11KMS_PIN_FILE', () => 'names a file that'],
  ])('%s with a file of somebody else', (name, names) => {
    const theirs = file('x', 0o000);
    const readable = { P11KMS_PIN_FILE: undefined, P11KMS_PIN: PIN };
    const env = name === 'P11KMS_PIN_FILE' ? {} : readable;
    expect(unprivileged(() => faults({ ...env, [name]: theirs }))).toContain(
      `environment variable ${name} ${names(theirs)} may not be read by this user`,
    );
  });

  it('that names an empty PIN file', () => {
    expect(faults({ P11KMS_PIN_FILE: file('\n') })).toEqual([
      'environment variable P11KMS_PIN_FILE names a file that is empty',
    ]);
  });
});

describe('a bad file is refused', () => {
  const inFile: [Record<string, unknown>, string, string][] = [
    [{ port: '80' }, 'port', OF_PORT],
    [{ port: 80.5 }, 'port', OF_PORT],
    [{ port: 65_536 }, 'port', OF_PORT],
    [{ port: null }, 'port', OF_PORT],
    [{ tokenWorkers: true }, 'tokenWorkers', OF_WORKERS],
    [{ dataDir: '' }, 'dataDir', OF_TEXT],
    [{ dataDir: 7 }, 'dataDir', OF_TEXT],
    [{ logLevel: ['info'] }, 'logLevel', 'must be one of error, warn, info, debug'],
    [{ host: '' }, 'host', OF_TEXT],
    [{ arnPrefix: 'arn:aws:' }, 'arnPrefix', OF_ARN],
    [{ tokenLable: 'x' }, 'tokenLable', 'is not a setting; did you mean tokenLabel?'],
    [{ P11KMS_PORT: 1 }, 'P11KMS_PORT', 'is not a setting; did you mean port?'],
    [{ config: 'x' }, 'config', 'is not a setting'],
    [{ toString: 'x' }, 'toString', 'is not a setting'],
    [JSON.parse('{"__proto__": {"port": 1}}'), '__proto__', 'is not a setting'],
  ];

  it.each(inFile)('%j', (content, key, fault) => {
    const P11KMS_CONFIG = json(content);
    expect(faults({ P11KMS_CONFIG })).toEqual([`key "${key}" in ${P11KMS_CONFIG} ${fault}`]);
  });

  it('even where the environment wins over the malformed value', () => {
    const P11KMS_CONFIG = json({ port: 'x' });
    expect(faults({ P11KMS_CONFIG, P11KMS_PORT: '1' })).toEqual([
      `key "port" in ${P11KMS_CONFIG} ${OF_PORT}`,
    ]);
  });

  it.each([
    [`{"pin": "${PIN}" "x"}`, 'is not valid JSON'],
    ['', 'is not valid JSON'],
    ['[]', 'does not hold a JSON object'],
    ['null', 'does not hold a JSON object'],
    [`"${PIN}"`, 'does not hold a JSON object'],
    [' '.repeat(2 ** 20 + 1), 'is longer than 1048576 bytes'],
  ])('%.20s, with no word of what it holds or lacks', (content, fault) => {
    const P11KMS_CONFIG = file(content);
    expect(faultsOf(() => loadConfig({ P11KMS_CONFIG }))).toEqual([
      `environment variable P11KMS_CONFIG names ${P11KMS_CONFIG}, which ${fault}`,
    ]);
  });

  it('without a word of a malformed PIN', () => {
    const P11KMS_CONFIG = json({ pin: 98_765_432 });
    expect(faults({ P11KMS_CONFIG, P11KMS_PIN_FILE: undefined })).toEqual([
      `key "pin" in ${P11KMS_CONFIG} ${OF_TEXT}`,
    ]);
  });
});

describe('what is missing or given twice', () => {
  it('is found all at once', () => {
    expect(faultsOf(() => loadConfig({ P11KMS_PORT: 'x', P11KMS_HOTS: 'y' }))).toEqual([
      'environment variable P11KMS_HOTS is not a setting; did you mean P11KMS_HOST?',
      `environment variable P11KMS_PORT ${OF_PORT}`,
      'P11KMS_PKCS11_MODULE is required',
      'P11KMS_TOKEN_LABEL is required',
      'P11KMS_PIN or P11KMS_PIN_FILE is required',
    ]);
  });

  it('is the PIN, twice in the environment or once here and once there', () => {
    const both = 'are both set: exactly one of them is needed';
    expect(faults({ P11KMS_PIN: PIN })).toEqual([
      `environment variable P11KMS_PIN and environment variable P11KMS_PIN_FILE ${both}`,
    ]);
    const P11KMS_CONFIG = json({ pin: PIN });
    expect(faults({ P11KMS_CONFIG })).toEqual([
      `key "pin" in ${P11KMS_CONFIG} and environment variable P11KMS_PIN_FILE ${both}`,
    ]);
  });
});

describe('whatever the environment holds', () => {
  const PLACES = [module_, pinFile, dir, folder(), 'localhost', '1', 'never', ...Object.values(enough)];
  const anyValue = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...PLACES),
    fc.integer().map(String),
  );
  const anyName = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...settings.map(([name]) => name as string)) },
    { weight: 1, arbitrary: fc.string().map((end) => `P11KMS_${end}`) },
  );
  const anyEnv = fc.dictionary(anyName, anyValue, { maxKeys: 12 });
  const anyFile = fc.oneof(fc.json(), fc.string({ unit: 'binary' }));

  it('loads, or throws a StartError whose lines each tell something and never the PIN', () => {
    fc.assert(
      fc.property(anyEnv, fc.option(anyFile), fc.boolean(), (random, content, complete) => {
        const named = content === null ? {} : { P11KMS_CONFIG: file(content) };
        const env: NodeJS.ProcessEnv = { ...(complete ? enough : {}), ...random, ...named, P11KMS_PIN: PIN };
        try {
          expect(Object.isFrozen(loadConfig(env))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(StartError);
          for (const line of String((error as Error).message).split('\n')) expect(line).toMatch(/^\S.+\S/);
          expect(inspect(error)).not.toContain(PIN);
        }
        expect(env).not.toHaveProperty('P11KMS_PIN');
      }),
      { numRuns: 500 },
    );
  });
});
