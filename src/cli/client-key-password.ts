/** The passwords of client keys' files. */
import { randomBytes } from 'node:crypto';
import { FileFault } from '../config/files';
import { readSecretFile } from '../config/secret-file';
import { StartError } from '../errors';

/** 192 bits, in 32 characters. */
const MADE_UP_BYTES = 24;
const MIN_CHARACTERS = 8;
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Letters, digits, `-` and `_`. */
export const makeUpPassword = (): string => randomBytes(MADE_UP_BYTES).toString('base64url');

/**
 * The password in a file, less one newline at its end.
 *
 * @throws StartError, whose message does not hold the password
 */
export function readPassword(file: string): string {
  if (file === '') throw new StartError('--password-file names no file');
  const { secret, exposed } = read(file);
  const password = secret.toString('latin1');
  secret.fill(0);
  if (exposed) throw new StartError(`${file} can be read by its group or by others: chmod 600 it`);
  const fault = faultOf(password);
  if (fault !== undefined) throw new StartError(`the password in ${file} ${fault}`);
  return password;
}

function faultOf(password: string): string | undefined {
  if (/[\r\n]/.test(password)) return 'has a line break in it: only one newline, at its end, does not count';
  if (!PRINTABLE.test(password))
    return 'has characters that are not printable ASCII, on which the SDKs do not agree';
  // Nobody sees it, and whoever copies the password is likely to lose it.
  if (password !== password.trim()) return 'begins or ends with white space';
  if (password.length < MIN_CHARACTERS) return `is shorter than ${MIN_CHARACTERS} characters`;
  return undefined;
}

function read(file: string): ReturnType<typeof readSecretFile> {
  try {
    return readSecretFile(file);
  } catch (error) {
    if (error instanceof FileFault) throw new StartError(`${file} ${error.message}`);
    throw error;
  }
}
