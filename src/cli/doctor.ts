/** `p11kms doctor`: what the token is, what it can do, and whether the service can run on it. */
import { loadConfig } from '../config/load';
import { EXIT, KmsError, StartError } from '../errors';
import type { TokenObject } from '../hsm/jobs';
import { inspectToken } from '../hsm/token';
import type { WorkerProcess } from '../hsm/worker-process';
import { labelPrefix } from '../kms/object-label';
import { assertOwner } from '../store/owner';
import { openStore, type Store, storeExists } from '../store/store';
import { tokenAddress } from '../token-address';
import type { Diagnosis } from './diagnosis';
import { doctorText } from './doctor-text';
import { removeObjects } from './remove-objects';

export interface DoctorOptions {
  readonly json?: true;
  /** CKA_IDs of objects that no row knows, to be destroyed. */
  readonly remove?: readonly string[];
}

const JOB_DEADLINE_MS = 30_000;

/**
 * Prints the diagnosis and returns the exit code: 0 where the service can run.
 *
 * @throws StartError for settings that cannot be used
 * @throws KmsError for an object that may not be removed, or a removal that cannot be recorded
 */
export async function doctor({ json, remove = [] }: DoctorOptions): Promise<number> {
  if (json) return printJson(remove);
  const { diagnosis, exitCode } = await diagnose(remove);
  process.stdout.write(doctorText(diagnosis));
  return exitCode;
}

/** A program that reads the JSON gets JSON, also where the settings or the store cannot be used. */
async function printJson(remove: readonly string[]): Promise<number> {
  const print = (value: object) => process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  try {
    const { diagnosis, exitCode } = await diagnose(remove);
    print(diagnosis);
    return exitCode;
  } catch (error) {
    if (!(error instanceof StartError || error instanceof KmsError)) throw error;
    print({ canRun: false, trouble: error.message });
    return error instanceof StartError ? error.exitCode : EXIT.failed;
  }
}

async function diagnose(remove: readonly string[]): Promise<{ diagnosis: Diagnosis; exitCode: number }> {
  const config = loadConfig(process.env);
  const { dataDir, database } = config;
  const address = database ?? dataDir;
  if (remove.length > 0) assertOwner(dataDir);
  // A look must not make a store where there is none.
  const store = (await storeExists(address)) ? await openStore(address) : undefined;
  if (!store && remove.length > 0) {
    throw new StartError(`there is no store in ${database?.name ?? dataDir}: nothing was removed`);
  }
  try {
    const identity = await store?.identity.read();
    // A service key that nobody has seen yet is the service's to make.
    const tied = identity && !identity.serviceKey.mayCreate ? identity : undefined;
    let unknownObjects: readonly TokenObject[] = [];
    const { report, trouble } = await inspectToken(tokenAddress(config, tied), async (worker) => {
      if (!store || !identity) return;
      unknownObjects = await findUnknown(worker, store, identity.id, identity.serviceKey.id);
      await removeObjects({ config, store }, worker, unknownObjects, remove);
    });
    const diagnosis: Diagnosis = {
      canRun: !trouble,
      ...(trouble && { trouble: trouble.message }),
      ...(report && { report }),
      store: {
        ...(database ? { database: database.name } : { directory: dataDir }),
        ...(identity && { id: identity.id }),
      },
      unknownObjects: unknownObjects.filter(({ id }) => !remove.includes(id)),
      removed: trouble ? [] : remove,
    };
    return { diagnosis, exitCode: trouble ? trouble.exitCode : 0 };
  } finally {
    await store?.close();
  }
}

async function findUnknown(
  worker: WorkerProcess,
  store: Store,
  storeId: string,
  serviceKeyId: string,
): Promise<TokenObject[]> {
  const { output } = await worker.run('listObjects', { labelPrefix: labelPrefix(storeId) }, JOB_DEADLINE_MS);
  const known = await store.versions.objects();
  return output.objects.filter(({ id }) => id !== serviceKeyId && !known.has(id));
}
