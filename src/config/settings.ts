import { isAbsolute } from 'node:path';
import { databaseUrlFault } from './database-url';
import { assertReadable, FileFault } from './files';
import { NETWORK_SETTINGS } from './network-settings';
import { type Setting, text } from './setting';

const count = { type: 'integer', minimum: 1, maximum: 256 } as const;
const milliseconds = { type: 'integer', minimum: 100, maximum: 3_600_000 } as const;

/** All settings by their environment names: the loader, the README's table and --help are made from this. */
export const SETTINGS = {
  P11KMS_CONFIG: {
    schema: text,
    environmentOnly: true,
    description:
      "A JSON file with settings. A setting's key there is its name without `P11KMS_`, in camel case (`tokenLabel`); the environment wins over the file.",
  },
  P11KMS_PKCS11_MODULE: {
    schema: text,
    required: true,
    description: "The token's PKCS#11 module: the absolute path of a shared library.",
    check: checkModule,
  },
  P11KMS_TOKEN_LABEL: {
    schema: text,
    required: true,
    description: 'The label of the token that holds the keys.',
    check: (label) => (Buffer.byteLength(label) > 32 ? 'must be at most 32 bytes long' : undefined),
  },
  P11KMS_PIN: {
    schema: text,
    description:
      "The token's user PIN. Prefer `P11KMS_PIN_FILE`: an environment stays visible in /proc. Exactly one of the two is needed. In the JSON file only if nobody but the file's owner can read it.",
  },
  P11KMS_PIN_FILE: {
    schema: text,
    description:
      "A file that holds the token's user PIN and is readable by its owner only. One newline at its end is dropped.",
  },
  P11KMS_DATA_DIR: {
    schema: text,
    default: './data',
    description:
      'The directory of the store, and of what a service notes for itself; no two services share one.',
  },
  P11KMS_DATABASE_URL: {
    schema: text,
    description:
      'A PostgreSQL database for the store, in place of SQLite in the data directory: `postgres://user:password@host:5432/database`, and `?sslmode=verify-full` for TLS. In the JSON file only if nobody but its owner can read it, should there be a password in it; a file that `PGPASSFILE` names is a better place for that.',
    check: databaseUrlFault,
  },
  ...NETWORK_SETTINGS,
  P11KMS_ARN_PREFIX: {
    schema: { ...text, maxLength: 256, pattern: '^arn:[a-z0-9-]+(:[a-z0-9-]+){0,2}:[A-Za-z0-9-]+$' },
    default: 'arn:aws:kms:us-east-1:111122223333',
    form: 'must look like arn:aws:kms:us-east-1:111122223333 or arn:verenc:111122223333, without a colon at the end',
    description:
      "What the ARNs of keys and aliases begin with, without a colon at the end; its last field is the account. QKMS's form is `arn:verenc:111122223333`.",
  },
  P11KMS_REGION: {
    schema: { ...text, maxLength: 64, pattern: '^[a-z0-9]+(-[a-z0-9]+)*$' },
    form: 'must look like us-east-1',
    description:
      'The region that signatures must name. Without it: the region in `P11KMS_ARN_PREFIX`, or us-east-1 where that has none.',
  },
  P11KMS_PRIVATE_KEY_EXPORT: {
    schema: { type: 'string', enum: ['never', 'on-request', 'aws'] },
    default: 'on-request',
    description:
      "Whether a private key may leave in plaintext: never; where an operation asks for one (Decrypt; Alibaba's AdvanceDecrypt, GenerateDataKeyPair and AdvanceGenerateDataKeyPair); or, as AWS KMS does, also in the answer of TrentService's GenerateDataKeyPair.",
  },
  P11KMS_LOG_LEVEL: {
    schema: { type: 'string', enum: ['error', 'warn', 'info', 'debug'] },
    default: 'info',
    description: 'How much is logged.',
  },
  P11KMS_AUDIT_FILE_BYTES: {
    schema: { type: 'integer', minimum: 1_048_576, maximum: 1_099_511_627_776 },
    default: 67_108_864,
    description: 'The size at which a file of the audit record is closed and the next one begun, in bytes.',
  },
  P11KMS_AUDIT_CHECKPOINT_LINES: {
    schema: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
    default: 1000,
    description: 'Lines of the audit record between two checkpoints that the token signs.',
  },
  P11KMS_PKCS11_INIT_ARGS: {
    schema: text,
    description: "Library parameters for C_Initialize, where the module wants them (NSS's `configdir=…`).",
  },
  P11KMS_GCM_IV: {
    schema: { type: 'string', enum: ['host', 'token'] },
    default: 'host',
    description:
      "Who fills in an AES-GCM IV: p11kms, with bytes from the token's generator, or the token itself, where it insists (AWS CloudHSM).",
  },
  P11KMS_GCM_CALLS_PER_KEY_VERSION: {
    schema: { type: 'integer', minimum: 1, maximum: 4_294_967_296 },
    default: 4_294_967_296,
    description:
      'AES-GCM encryptions under one version of a key, after which the key is rotated by itself. At most 2^32: the bound that NIST SP 800-38D sets for random IVs.',
  },
  P11KMS_TOKEN_TIMEOUT_MS: {
    schema: milliseconds,
    default: 10_000,
    description:
      'How long the token may take over one operation, in milliseconds; the operation may wait as long for a free worker before.',
  },
  P11KMS_KEY_PAIR_TIMEOUT_MS: {
    schema: milliseconds,
    default: 60_000,
    description:
      'How long the token may take to generate and wrap one key pair, in milliseconds; it may wait as long for a free worker before.',
  },
  P11KMS_TOKEN_WORKERS: {
    schema: count,
    default: 2,
    description: 'Processes that speak to the token about everything but key pairs.',
  },
  P11KMS_KEY_PAIR_WORKERS: {
    schema: count,
    default: 2,
    description: 'Processes that generate key pairs.',
  },
  P11KMS_TOKEN_QUEUE: {
    schema: { type: 'integer', minimum: 1, maximum: 100_000 },
    default: 256,
    description:
      'Jobs that may wait for either kind of process; one more is answered with ThrottlingException or Rejected.Throttling.',
  },
  P11KMS_WORKER_JOBS: {
    schema: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
    default: 50_000,
    description: 'Jobs after which a process is replaced, because PKCS#11 modules leak memory.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

type ValueOf<S> = S extends { schema: { enum: readonly (infer Choice)[] } }
  ? Choice
  : S extends { schema: { type: 'integer' } }
    ? number
    : string;

type Given = {
  [N in SettingName]: (typeof SETTINGS)[N] extends { default: unknown } | { required: true } ? N : never;
};

/** A value for each setting, as the table types it; absent where there is neither a value nor a default. */
export type Values = { readonly [N in Given[SettingName]]: ValueOf<(typeof SETTINGS)[N]> } & {
  readonly [N in SettingName]?: ValueOf<(typeof SETTINGS)[N]>;
};

/** The table's rows in order. */
export const settings: readonly (readonly [SettingName, Setting])[] = Object.entries(SETTINGS) as [
  SettingName,
  Setting,
][];

/** A setting's key in the JSON file: P11KMS_TOKEN_LABEL is tokenLabel. */
export function fileKey(name: SettingName): string {
  const words = name.slice('P11KMS_'.length).toLowerCase();
  return words.replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}

/** What a value has to be, to follow a setting's name in a message: "must be a whole number from 0 to 65535". */
export function expectation({ schema, form }: Setting): string {
  if (form !== undefined) return form;
  if (schema.type === 'integer') return `must be a whole number from ${schema.minimum} to ${schema.maximum}`;
  if ('enum' in schema) return `must be one of ${schema.enum.join(', ')}`;
  return 'must be a string that is not empty';
}

/** The settings as a Markdown table, for the README. */
export function settingsTable(): string {
  const rows = settings.map(([name, setting]) => {
    const initial = setting.default === undefined ? missing(setting) : `\`${setting.default}\``;
    return `| \`${name}\` | ${initial} | ${setting.description}${choices(setting, '`')} |`;
  });
  return ['| Setting | Default | What it is |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The settings as plain text, for --help. */
export function settingsHelp(): string {
  const entries = settings.map(([name, setting]) => {
    const initial = setting.default ?? missing(setting);
    return `  ${name} (${initial})\n      ${setting.description.replaceAll('`', '')}${choices(setting, '')}`;
  });
  return ['Settings, from the environment (in parentheses: the default):', ...entries].join('\n');
}

function missing(setting: Setting): string {
  return setting.required ? 'required' : 'none';
}

function choices({ schema }: Setting, quote: string): string {
  return 'enum' in schema ? ` One of ${schema.enum.map((one) => quote + one + quote).join(', ')}.` : '';
}

function checkModule(path: string): string | undefined {
  if (!isAbsolute(path)) return 'must be an absolute path';
  try {
    assertReadable(path);
    return undefined;
  } catch (error) {
    if (error instanceof FileFault) return `names ${path}, which ${error.message}`;
    throw error;
  }
}
