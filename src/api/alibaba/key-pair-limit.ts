import { KmsError } from '../../errors';

/** Does work that makes a key pair, unless too much of it is being done. */
export type KeyPairLimit = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Alibaba makes so many key pairs at a time in one instance, and refuses another at once.
 *
 * @param limit no bound of its own where absent: the token's lanes have theirs
 * @throws KmsError THROTTLED, and what the work throws
 */
export function createKeyPairLimit(limit = Number.POSITIVE_INFINITY): KeyPairLimit {
  let running = 0;
  return async (work) => {
    if (running >= limit) throw new KmsError('THROTTLED', `${limit} key pairs are being made already`);
    running++;
    try {
      return await work();
    } finally {
      running--;
    }
  };
}
