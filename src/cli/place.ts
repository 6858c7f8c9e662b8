/** Store and token, as the commands about principals need them. */
import type { Config, StoreConfig } from '../config/load';
import { StartError } from '../errors';
import { inspectToken } from '../hsm/token';
import { WorkerGone } from '../hsm/worker-process';
import type { RunJob, Sealer } from '../kms/secret-access-keys';
import { assertOwner } from '../store/owner';
import { ROOT } from '../store/principals';
import { openStore, type Store, storeExists } from '../store/store';
import { type Signature, signatureOf } from '../store-audit';
import { tokenAddress } from '../token-address';

const JOB_DEADLINE_MS = 30_000;

export interface Place<C extends StoreConfig> {
  readonly config: C;
  readonly store: Store;
  /** Where the token is open. */
  readonly signature?: Signature;
}

/**
 * Opens the store that a service has made.
 *
 * @throws StartError
 */
export async function withStore<C extends StoreConfig>(
  config: C,
  work: (place: Place<C>) => Promise<void>,
): Promise<void> {
  const { dataDir, database } = config;
  assertOwner(dataDir);
  const name = database?.name ?? dataDir;
  const advice = 'start the service once (p11kms serve), which makes it';
  if (!(await storeExists(database ?? dataDir))) {
    throw new StartError(
      `there is no store in ${name} yet: ${advice}; or set P11KMS_DATA_DIR as the service has it`,
    );
  }
  const store = await openStore(database ?? dataDir);
  try {
    if (!(await store.principals.find(ROOT)))
      throw new StartError(`the store in ${name} has no root principal yet: ${advice}`);
    await work({ config, store });
  } finally {
    await store.close();
  }
}

/**
 * Opens the token, where a secret is made and sealed.
 *
 * @throws StartError
 */
export async function withSealer<C extends Config>(
  { config, store }: Place<C>,
  work: (sealer: Sealer, place: Place<C>) => Promise<unknown>,
): Promise<void> {
  const { id: storeId, serviceKey } = await store.identity.read();
  // Never made here: a token that lacks it is not this store's.
  const identity = { id: storeId, serviceKey: { id: serviceKey.id, mayCreate: false } };
  try {
    const { trouble } = await inspectToken(tokenAddress(config, identity), async (worker) => {
      const run: RunJob = async (name, input) => (await worker.run(name, input, JOB_DEADLINE_MS)).output;
      const serial = worker.report?.token.serial ?? '';
      const signature = await signatureOf(store, { serial, run });
      await work({ run, storeId, serviceKey: serviceKey.id }, { config, store, signature });
    });
    if (trouble) throw trouble;
  } catch (error) {
    if (!(error instanceof WorkerGone)) throw error;
    throw new StartError(`no access key was made: ${error.message}`, undefined, { cause: error });
  }
}
