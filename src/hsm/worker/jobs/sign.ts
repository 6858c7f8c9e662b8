import type { JobInput, JobOutput } from '../../jobs';
import { ecdsaSign } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';

export function sign(worker: TokenWorker, { object, digest }: JobInput<'sign'>): JobOutput<'sign'> {
  return { signature: ecdsaSign(worker.session, handleOf(worker, object, 'PRIVATE_KEY'), digest) };
}
