import { KmsError } from '../../../errors';
import { ckrOf, meansBadCiphertext } from '../ckr';
import { assertAlive, type TokenWorker } from '../token-worker';

/**
 * Runs the step that opens a ciphertext. Tokens have one word for a tag that does not fit and for other
 * troubles, so the canary tells them apart: bad client data must not cost a session, a sick token must.
 *
 * @throws KmsError INVALID_CIPHERTEXT
 */
export function openCiphertext<T>(worker: TokenWorker, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || !meansBadCiphertext(ckr)) throw error;
    assertAlive(worker, error);
    throw new KmsError('INVALID_CIPHERTEXT', 'The ciphertext or its encryption context is not valid.');
  }
}
