import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root, an absolute path, wherever the script was started from. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const inRoot = (...names) => join(ROOT, ...names);

/** One line about something that is really being done. */
export function say(line) {
  process.stdout.write(`p11kms: ${line}\n`);
}
