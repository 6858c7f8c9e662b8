import type { JobInput, JobOutput } from '../../jobs';
import { gcmEncrypt } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';

export function encrypt(worker: TokenWorker, input: JobInput<'encrypt'>): JobOutput<'encrypt'> {
  const key = handleOf(worker, input.object);
  return gcmEncrypt(worker.session, worker.gcmIv, key, input.plaintext, input.aad);
}
