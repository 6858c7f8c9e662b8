import type { JobInput, JobOutput } from '../../jobs';
import { keyPairSpec } from '../../key-pair-specs';
import { exportPrivateKey as exportFromToken, NotThisKey } from '../export';
import { withObject } from '../session';
import { handleOf, type TokenWorker } from '../token-worker';
import { kwpOf, unwrapPrivateKey } from '../wrapping';
import { invalidCiphertext, openCiphertext } from './open-ciphertext';

/** Opens a wrapped private key and hands it out as PKCS#8 DER. */
export function exportPrivateKey(
  worker: TokenWorker,
  input: JobInput<'exportPrivateKey'>,
): JobOutput<'exportPrivateKey'> {
  const { session, dialect } = worker;
  const keys = { encrypt: handleOf(worker, input.encryptObject), wrap: handleOf(worker, input.wrapObject) };
  const wrapped = { ...input, spec: keyPairSpec(input.spec) };
  const object = openCiphertext(worker, input.sealed, () =>
    unwrapPrivateKey(session, dialect, keys, wrapped, input.aad),
  );
  try {
    return withObject(session, object, () => ({
      privateKey: exportFromToken(session, kwpOf(dialect), object, wrapped.spec, input.point),
    }));
  } catch (error) {
    throw error instanceof NotThisKey ? invalidCiphertext() : error;
  }
}
