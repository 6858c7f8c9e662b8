import type { Faults } from './faults';
import { FileFault, readSmallFile } from './files';
import { nearest } from './nearest';
import { flag } from './setting';
import { fileKey, SETTINGS, type SettingName, settings } from './settings';

const MAX_CONFIG_BYTES = 1 << 20;

/** One place that values come from: the environment or the JSON file. */
export interface Source {
  /** What it gives, by the settings' environment names; not yet checked. */
  readonly values: ReadonlyMap<SettingName, unknown>;
  /** How a message says that a value came from here. */
  readonly place: (name: SettingName) => string;
  /** Whether others than the owner may read it, where it is a file. */
  readonly exposed: boolean;
}

const variables = new Map<string, SettingName>(settings.map(([name]) => [name, name]));
const fileKeys = new Map<string, SettingName>(
  settings.filter(([, setting]) => !setting.environmentOnly).map(([name]) => [fileKey(name), name]),
);

/** The P11KMS_* variables that are not empty, integers as numbers. Unknown ones are faults. */
export function environmentSource(env: NodeJS.ProcessEnv, faults: Faults): Source {
  const given = Object.entries(env).filter((pair): pair is [string, string] => isGiven(...pair));
  const place = (name: string) => `environment variable ${name}`;
  const known = pickKnown(given, variables, place, faults);
  return { values: new Map(known.map(([name, value]) => [name, typed(name, value)])), place, exposed: false };
}

/** The values in the JSON file at `path`. Unknown keys are faults; so is a file that cannot be read: undefined. */
export function fileSource(path: string, faults: Faults): Source | undefined {
  try {
    const { bytes, exposed } = readSmallFile(path, MAX_CONFIG_BYTES);
    const place = (key: string) => `key "${key}" in ${path}`;
    const known = pickKnown(Object.entries(parseObject(bytes)), fileKeys, place, faults);
    const values = new Map(known.map(([name, value]) => [name, flagged(name, value)]));
    return { values, place: (name) => place(fileKey(name)), exposed };
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    faults.add('environment variable P11KMS_CONFIG', `names ${path}, which ${error.message}`);
    return undefined;
  }
}

function pickKnown<T>(
  given: readonly [string, T][],
  keys: ReadonlyMap<string, SettingName>,
  place: (key: string) => string,
  faults: Faults,
): [SettingName, T][] {
  return given.flatMap(([key, value]): [SettingName, T][] => {
    const name = keys.get(key);
    if (name !== undefined) return [[name, value]];
    const meant = nearest(key, [...keys.keys()]);
    faults.add(place(key), `is not a setting${meant === undefined ? '' : `; did you mean ${meant}?`}`);
    return [];
  });
}

function isGiven(name: string, value: string | undefined): boolean {
  return name.startsWith('P11KMS_') && value !== undefined && value !== '';
}

function typed(name: SettingName, value: string): string | number {
  return SETTINGS[name].schema.type === 'integer' && /^\d+$/.test(value) ? Number(value) : value;
}

/** JSON has words for true and false. */
function flagged(name: SettingName, value: unknown): unknown {
  return typeof value === 'boolean' && SETTINGS[name].schema === flag ? String(value) : value;
}

function parseObject(bytes: Buffer): object {
  const value = parse(bytes);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new FileFault('does not hold a JSON object');
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The parser's own message quotes the text around the fault, and with it perhaps the PIN.
    throw new FileFault('is not valid JSON');
  }
}
