/** `p11kms restore FILE`: puts the store of a backup in place, and holds it against the token before. */
import { type Config, loadConfig } from '../config/load';
import { EXIT, KmsError, StartError } from '../errors';
import type { TokenObject } from '../hsm/jobs';
import { inspectToken } from '../hsm/token';
import { WorkerGone } from '../hsm/worker-process';
import { labelPrefix } from '../kms/object-label';
import { adjustmentsOf, differences, keysAfter } from '../kms/recovery';
import { lockDataDirectory } from '../store/lock';
import { assertOwner } from '../store/owner';
import type { Adjustments } from '../store/recovery';
import { stageStore } from '../store/staging';
import { openStore, type Store, storeExists } from '../store/store';
import { tokenAddress } from '../token-address';
import { adoptChains, passHeads } from './chains';
import { type Change, type Details, NotRecorded, recorded } from './recorded';
import type { Restoration } from './restoration';
import { restoreText } from './restore-text';

export interface RestoreOptions {
  readonly json?: true;
  /** Only looks: changes nothing, and the service may run. */
  readonly check?: true;
  /** Goes on where store and token know different keys. */
  readonly yes?: true;
}

const JOB_DEADLINE_MS = 30_000;
/** A path may be longer than a record can hold. */
const FROM_CHARACTERS = 400;

/**
 * Restores, prints what was found and done, and returns the exit code: 3 where store and token know different keys
 * and nothing was changed, or only a look was asked for.
 *
 * @throws StartError
 */
export async function restore(file: string | undefined, options: RestoreOptions): Promise<number> {
  if (options.json) return printJson(file, options);
  const restoration = await run(file, options);
  process.stdout.write(restoreText(restoration));
  return exitCodeOf(restoration);
}

/** A program that reads the JSON gets JSON, also where nothing could be restored. */
async function printJson(file: string | undefined, options: RestoreOptions): Promise<number> {
  const print = (value: object) => process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  try {
    const restoration = await run(file, options);
    print(restoration);
    return exitCodeOf(restoration);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    print({ restored: error instanceof NotRecorded, trouble: error.message });
    return error.exitCode;
  }
}

function exitCodeOf({ restored, onlyOnToken, onlyInStore }: Restoration): number {
  return restored || onlyOnToken.length + onlyInStore.length === 0 ? 0 : EXIT.differs;
}

async function run(file: string | undefined, options: RestoreOptions): Promise<Restoration> {
  const config = loadConfig(process.env);
  const { dataDir, database } = config;
  if (database && file !== undefined) {
    throw new StartError(
      `the store is in ${database.name}: restore it with pg_restore or psql, then run p11kms restore without a file`,
    );
  }
  if (!database && file === undefined)
    throw new StartError('restore needs the file of a backup: p11kms restore FILE');
  // A look takes nothing from a service that runs.
  if (options.check) return restoreFrom(file, config, options);
  assertOwner(dataDir);
  const unlock = lockDataDirectory(dataDir);
  try {
    return await restoreFrom(file, config, options);
  } finally {
    unlock();
  }
}

/** What the token, the store or the disk says is for the operator; anything else is a fault of the program. */
function toStartError(error: unknown): unknown {
  const isForeseen = error instanceof KmsError || error instanceof WorkerGone || isSystemError(error);
  if (!isForeseen) return error;
  return new StartError(`nothing was restored: ${error.message}`, undefined, { cause: error });
}

const isSystemError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^(E[A-Z]+|SQLITE_)/.test(String(error.code));

async function restoreFrom(
  file: string | undefined,
  config: Config,
  options: RestoreOptions,
): Promise<Restoration> {
  try {
    return await (file === undefined ? restoreInPlace(config, options) : restoreFile(file, config, options));
  } catch (error) {
    throw toStartError(error);
  }
}

async function restoreFile(file: string, config: Config, options: RestoreOptions): Promise<Restoration> {
  const { dataDir } = config;
  const staged = await stageStore(file, dataDir, options.check === true);
  try {
    const { restoration, adjustments } = await examine(file, staged.store, config, options);
    if (!restoration.restored) return restoration;
    const { heads, passOn, settle } = await passHeads(staged.store, dataDir);
    const replace = async () => {
      await staged.store.recovery.adjust(adjustments);
      const chains = await passOn();
      const previousStore = await staged.putInPlace();
      return { ...restoration, chains, ...(previousStore && { previousStore }) };
    };
    const place = { config, store: { identity: staged.store.identity, audit: heads } };
    try {
      return await recorded(place, changeOf(restoration), replace, chainDetails);
    } finally {
      await settle();
    }
  } finally {
    await staged.discard();
  }
}

/** The store is in a database that others have restored already. */
async function restoreInPlace(config: Config, options: RestoreOptions): Promise<Restoration> {
  const { database, dataDir } = config;
  const address = database ?? dataDir;
  const name = database?.name ?? dataDir;
  if (!(await storeExists(address)))
    throw new StartError(`there is no store in ${name}: restore it with pg_restore or psql first`);
  const store = await openStore(address);
  try {
    if (!options.check && (await store.isShared()))
      throw new StartError(`another p11kms is connected to ${name}: stop all services first`);
    return await store.exclusively('token-objects', async () => {
      const { restoration, adjustments } = await examine(name, store, config, options);
      if (!restoration.restored) return restoration;
      const adjust = async () => {
        const chains = await adoptChains(store, dataDir);
        await store.recovery.adjust(adjustments);
        return { ...restoration, chains };
      };
      return recorded({ config, store }, changeOf(restoration), adjust, chainDetails);
    });
  } finally {
    await store.close();
  }
}

function changeOf(restoration: Restoration): Change {
  const { store, keys, onlyOnToken, onlyInStore, deletions, finished, forgotten } = restoration;
  return {
    operation: 'RestoreStore',
    details: {
      from: store.from.slice(0, FROM_CHARACTERS),
      store: store.id,
      ...(store.lastHeartbeat && { lastHeartbeat: store.lastHeartbeat.toISOString() }),
      keys: keys.total,
      keysToRotate: keys.toRotate,
      onlyOnToken: onlyOnToken.length,
      onlyInStore: onlyInStore.length,
      deletions: deletions.length,
      finished: finished.length,
      forgotten: forgotten.length,
    },
  };
}

function chainDetails({ chains }: Restoration): Details {
  if (!chains) return {};
  const { takenOver, adopted, doubtful } = chains;
  return { chainsTakenOver: takenOver, chainsAdopted: adopted, chainsDoubtful: doubtful.length };
}

/** What is to be done, and whether it is. */
async function examine(
  from: string,
  store: Store,
  config: Config,
  { check = false, yes = false }: { readonly check?: boolean; readonly yes?: boolean },
): Promise<{ restoration: Restoration; adjustments: Adjustments }> {
  const contents = await store.recovery.read();
  const objects = await objectsOnToken(config, contents.store);
  const different = differences(contents, objects);
  const onToken = new Set(objects.map(({ id }) => id));
  const bound = config.gcmCallsPerKeyVersion;
  const adjustments = adjustmentsOf(contents, onToken, { now: Date.now(), bound });
  const { heartbeat_at: heartbeatAt } = contents.store;
  const agree = different.onlyOnToken.length + different.onlyInStore.length === 0;
  const restoration: Restoration = {
    restored: !check && (agree || yes),
    check,
    yes,
    store: {
      id: contents.store.id,
      from,
      ...(heartbeatAt !== null && { lastHeartbeat: new Date(heartbeatAt) }),
    },
    ...different,
    keys: keysAfter(contents, adjustments),
    deletions: adjustments.deletions.map(({ keyId, at }) => ({ keyId, deletionDate: new Date(at) })),
    finished: adjustments.finish.map(({ version: { keyId, number } }) => ({ keyId, version: number })),
    forgotten: adjustments.forget.map(({ keyId, number }) => ({ keyId, version: number })),
  };
  return { restoration, adjustments };
}

/** All objects of the store on its token. */
async function objectsOnToken(
  config: Config,
  { id, service_key_object: serviceKeyId }: { readonly id: string; readonly service_key_object: string },
): Promise<readonly TokenObject[]> {
  let objects: readonly TokenObject[] = [];
  // Never made here: a token that lacks it is not this store's.
  const identity = { id, serviceKey: { id: serviceKeyId, mayCreate: false } };
  const { trouble } = await inspectToken(tokenAddress(config, identity), async (worker) => {
    const { output } = await worker.run('listObjects', { labelPrefix: labelPrefix(id) }, JOB_DEADLINE_MS);
    objects = output.objects;
  });
  if (trouble) throw trouble;
  // A token that has gone away shows nothing, which must not be taken for keys that are lost.
  if (!objects.some((object) => object.id === serviceKeyId))
    throw new StartError('the token went away while it was looked at: try again');
  return objects;
}
