import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Why no token of ours can be made or used: one line for the operator. */
export class TokenRefused extends Error {}

/**
 * The settings as the service will find them: the environment first, then the JSON file that P11KMS_CONFIG
 * names. Nothing is checked here, because the service checks all of it and says what is wrong; `unreadable`
 * is true where the file cannot be used at all.
 */
export function readSettings(env) {
  const { file, unreadable } = readConfigFile(env.P11KMS_CONFIG);
  return { env, unreadable, get: (name) => env[name] ?? file[fileKey(name)] };
}

/** The absolute path of the data directory. */
export function dataDirectory(settings) {
  return resolve(String(settings.get('P11KMS_DATA_DIR') ?? './data'));
}

/** What src/config calls the setting in the file: P11KMS_PIN_FILE is pinFile. */
function fileKey(name) {
  const words = name.slice('P11KMS_'.length).toLowerCase();
  return words.replace(/_(.)/g, (_match, letter) => letter.toUpperCase());
}

function readConfigFile(path) {
  if (path === undefined) return { file: {}, unreadable: false };
  try {
    const file = JSON.parse(readFileSync(path, 'utf8'));
    return typeof file === 'object' && file !== null
      ? { file, unreadable: false }
      : { file: {}, unreadable: true };
  } catch {
    return { file: {}, unreadable: true };
  }
}
