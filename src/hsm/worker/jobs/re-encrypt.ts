import type { JobInput, JobOutput } from '../../jobs';
import { gcmEncrypt } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';
import { decrypt } from './decrypt';

export function reEncrypt(
  worker: TokenWorker,
  { source, destination }: JobInput<'reEncrypt'>,
): JobOutput<'reEncrypt'> {
  const key = handleOf(worker, destination.object);
  const { plaintext } = decrypt(worker, source);
  try {
    return gcmEncrypt(worker.session, worker.gcmIv, key, plaintext, destination.aad);
  } finally {
    plaintext.fill(0);
  }
}
