import { StartError } from '../errors';
import { FileFault } from './files';
import { readSecretFile } from './secret-file';

/** A PIN that was given as a value. Its bytes are in a private field: JSON, util.inspect and clones lack them. */
export class PinValue {
  readonly kind = 'value';
  readonly #bytes: Buffer;

  constructor(pin: string) {
    this.#bytes = Buffer.from(pin, 'utf8');
  }

  /** A copy that belongs to the caller. */
  copy(): Buffer {
    return Buffer.from(this.#bytes);
  }
}

/** Where the PIN comes from; not the PIN. */
export type PinSource = PinValue | { readonly kind: 'file'; readonly path: string };

/**
 * The PIN's bytes (UTF-8), in a Buffer that the caller owns and zeroes. A file is read anew each time.
 * Throws StartError if there is no PIN to be had; the message holds neither the PIN nor the path.
 */
export function readPin(source: PinSource): Buffer {
  return source.kind === 'value' ? source.copy() : read(source.path).secret;
}

/** A line of warning if the PIN is in a file that others than its owner may read. Throws as readPin does. */
export function pinWarning(source: PinSource): string | undefined {
  if (source.kind === 'value') return undefined;
  const { secret, exposed } = read(source.path);
  secret.fill(0);
  return exposed
    ? 'the file of P11KMS_PIN_FILE can be read by its group or by others: chmod 600 it'
    : undefined;
}

function read(path: string): ReturnType<typeof readSecretFile> {
  try {
    return readSecretFile(path);
  } catch (error) {
    if (error instanceof FileFault) throw new StartError(`the file of P11KMS_PIN_FILE ${error.message}`);
    throw error;
  }
}
