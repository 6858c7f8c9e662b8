import type { JobInput, JobOutput } from '../../jobs';
import { keyPairSpec } from '../../key-pair-specs';
import { withObject } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';
import { unwrapPrivateKey, type WrappingKeys, wrapPrivateKey } from '../wrapping';
import { openCiphertext } from './open-ciphertext';

export function rewrapPrivateKey(
  worker: TokenWorker,
  { spec, point, source, destination }: JobInput<'rewrapPrivateKey'>,
): JobOutput<'rewrapPrivateKey'> {
  const { session, dialect, gcmIv } = worker;
  const [from, to] = [handlesOf(worker, source), handlesOf(worker, destination)];
  const wrapped = { ...source, point, spec: keyPairSpec(spec) };
  const privateKey = openCiphertext(worker, source.sealed, () =>
    unwrapPrivateKey(session, dialect, from, wrapped, source.aad),
  );
  return withObject(session, privateKey, () =>
    wrapPrivateKey(session, dialect, gcmIv, to, privateKey, destination.aad),
  );
}

function handlesOf(
  worker: TokenWorker,
  objects: { readonly encryptObject: string; readonly wrapObject: string },
): WrappingKeys {
  return { encrypt: handleOf(worker, objects.encryptObject), wrap: handleOf(worker, objects.wrapObject) };
}
