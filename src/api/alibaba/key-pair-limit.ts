import { KmsError } from '../../errors';

/** Does work that makes a key pair, unless too much of it is being done. */
export type KeyPairLimit = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Alibaba makes one key pair at a time in an instance, and refuses another at once.
 *
 * @param limit key pairs at a time; no bound where absent, because the token's lanes have theirs
 * @throws KmsError THROTTLED, and what the work throws
 */
export function createKeyPairLimit(limit = Number.POSITIVE_INFINITY): KeyPairLimit {
  let running = 0;
  return async (work) => {
    if (running >= limit)
      throw new KmsError(
        'THROTTLED',
        `more than ${limit} key pairs at a time: P11KMS_ALIBABA_KEY_PAIR_CONCURRENCY`,
      );
    running++;
    try {
      return await work();
    } finally {
      running--;
    }
  };
}
