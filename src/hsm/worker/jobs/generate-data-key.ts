import type { JobInput, JobOutput } from '../../jobs';
import { gcmEncrypt, generateRandom } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';

/** Random bytes and their ciphertext; the bytes leave the worker only where the caller is to have them. */
export function generateDataKey(
  worker: TokenWorker,
  { object, aad, bytes, withPlaintext }: JobInput<'generateDataKey'>,
): JobOutput<'generateDataKey'> {
  const key = handleOf(worker, object);
  const plaintext = generateRandom(worker.session, bytes);
  const ciphertext = gcmEncrypt(worker.session, worker.gcmIv, key, plaintext, aad);
  if (withPlaintext) return { ...ciphertext, plaintext };
  plaintext.fill(0);
  return ciphertext;
}
