/** PINs and passwords in files. */
import { isUtf8 } from 'node:buffer';
import { FileFault, readSmallFile } from './files';

/** Far more than any PIN or password: whatever is longer was named by mistake. */
const MAX_SECRET_BYTES = 1024;

/** The PIN or password in a file, less one newline at its end, and whether group or others may read it. Throws FileFault. */
export function readSecretFile(path: string): { secret: Buffer; exposed: boolean } {
  const { bytes, exposed } = readSmallFile(path, MAX_SECRET_BYTES);
  const secret = bytes.subarray(0, bytes.length - newlineLength(bytes));
  if (secret.length === 0) throw new FileFault('is empty');
  // It travels as a string: bytes that are no UTF-8 would turn into another one, and a PIN's cost a try.
  if (isUtf8(secret) && !secret.includes(0)) return { secret, exposed };
  bytes.fill(0);
  throw new FileFault('is not UTF-8 text');
}

function newlineLength(bytes: Buffer): number {
  if (bytes.at(-1) !== 0x0a) return 0;
  return bytes.at(-2) === 0x0d ? 2 : 1;
}
