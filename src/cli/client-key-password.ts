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
  const { secret, exposed } = read(file);
  const password = secret.toString('latin1');
  secret.fill(0);
  if (exposed) throw new StartError(`${file} can be read by its group or by others: chmod 600 it`);
  if (!PRINTABLE.test(password))
    throw new StartError(
      `the password in ${file} has characters that are not printable ASCII, on which the SDKs do not agree`,
    );
  if (password.length < MIN_CHARACTERS)
    throw new StartError(`the password in ${file} is shorter than ${MIN_CHARACTERS} characters`);
  return password;
}

function read(file: string): ReturnType<typeof readSecretFile> {
  try {
    return readSecretFile(file);
  } catch (error) {
    if (error instanceof FileFault) throw new StartError(`${file} ${error.message}`);
    throw error;
  }
}
