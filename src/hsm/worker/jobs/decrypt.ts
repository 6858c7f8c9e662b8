import type { JobInput, JobOutput } from '../../jobs';
import { gcmDecrypt } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';
import { openCiphertext } from './open-ciphertext';

export function decrypt(worker: TokenWorker, input: JobInput<'decrypt'>): JobOutput<'decrypt'> {
  const key = handleOf(worker, input.object);
  const plaintext = openCiphertext(worker, input.sealed, () =>
    gcmDecrypt(worker.session, key, input.iv, input.sealed, input.aad),
  );
  return { plaintext };
}
