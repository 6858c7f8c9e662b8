/** Every job by name. */
import { KmsError } from '../../../errors';
import type { JobInput, JobName, JobOutput } from '../../jobs';
import { destroyById, listByLabel } from '../objects';
import { generateRandom } from '../session';
import { assertAlive, type TokenWorker } from '../token-worker';
import { createKeyObjects } from './create-key-objects';
import { createSigningKey } from './create-signing-key';
import { decrypt } from './decrypt';
import { encrypt } from './encrypt';
import { exportPrivateKey } from './export-private-key';
import { generateDataKey } from './generate-data-key';
import { generateKeyPair } from './generate-key-pair';
import { reEncrypt } from './re-encrypt';
import { rewrapPrivateKey } from './rewrap-private-key';
import { sign } from './sign';

type Job<N extends JobName> = (worker: TokenWorker, input: JobInput<N>) => JobOutput<N>;

const JOBS: { readonly [N in JobName]: Job<N> } = {
  generateKeyPair,
  exportPrivateKey,
  encrypt,
  decrypt,
  reEncrypt,
  rewrapPrivateKey,
  generateDataKey,
  createKeyObjects,
  createSigningKey,
  sign,
  generateRandom: ({ session }, { bytes }) => ({ random: generateRandom(session, bytes) }),
  destroyObjects: (worker, { ids }) => {
    // A token that went away finds nothing: only while the service key is visible does that mean gone.
    const gone = new KmsError('KEY_UNAVAILABLE', 'The token is not available.');
    assertAlive(worker, gone);
    destroyById(worker.session, worker.handles, ids);
    assertAlive(worker, gone);
    return {};
  },
  listObjects: ({ session }, { labelPrefix }) => ({ objects: listByLabel(session, labelPrefix) }),
  ping: (worker) => {
    assertAlive(worker, new Error('the service key is not visible'));
    return {};
  },
};

export function runJob<N extends JobName>(worker: TokenWorker, name: N, input: JobInput<N>): JobOutput<N> {
  return JOBS[name](worker, input);
}
