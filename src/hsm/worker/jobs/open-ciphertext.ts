import { KmsError } from '../../../errors';
import { ckrOf, faultOf, meansBadCiphertext } from '../ckr';
import { TAG_BYTES } from '../session';
import { assertAlive, renew, type TokenWorker } from '../token-worker';

/**
 * Runs the step that opens a ciphertext. Tokens have one word for a tag that does not fit and for other
 * troubles, so the canary tells them apart: bad client data must not cost a session, a sick token must.
 *
 * @throws KmsError INVALID_CIPHERTEXT
 */
export function openCiphertext<T>(worker: TokenWorker, sealed: Buffer, open: () => T): T {
  // Of an empty one the addon would make a question for the plaintext's length: it succeeds, and the operation
  // stays active.
  if (sealed.length < TAG_BYTES) throw invalidCiphertext();
  try {
    return open();
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || !meansBadCiphertext(ckr)) throw error;
    // A token that made the object and then failed would keep a private key whose handle nobody has.
    if (faultOf(error).call === 'C_UnwrapKey') renew(worker, error);
    assertAlive(worker, error);
    throw invalidCiphertext();
  }
}

/** The one answer to every bad ciphertext: nobody learns what about it was wrong. */
export function invalidCiphertext(): KmsError {
  return new KmsError('INVALID_CIPHERTEXT', 'The ciphertext or its encryption context is not valid.');
}
