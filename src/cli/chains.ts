/** The chains of the audit record, when a store takes the place of another. */
import type { Head, Heads } from '../audit/audit';
import { verifyAudit } from '../audit/verify';
import { openStore, type Store, storeExists } from '../store/store';
import { auditDirectory } from '../store-audit';
import { createProgress } from './progress';

/** What became of the chains that the restored store did not know. */
export interface Chains {
  /** Their heads were in the store that was there before. */
  readonly takenOver: number;
  /** Nothing was found wrong with their files. */
  readonly adopted: number;
  /** Something was: `p11kms audit verify` goes on saying so. */
  readonly doubtful: readonly string[];
}

/** Heads on their way from the store that is in place to the one that comes. */
export interface PassedHeads {
  /** For the record of the restore itself: the store that is in place in the end gets its head. */
  readonly heads: Heads;
  /** Tells the store that comes what it cannot know. To be called while it is open. */
  passOn(): Promise<Chains>;
  /** To be called when one of the two is in place, and neither is open. */
  settle(): Promise<void>;
}

/**
 * The record of a restore begins before the store is in place, and ends after it. So both stores know from its beginning
 * that there is such a chain, which is enough for a process that is killed; how it ends is told to the one that is in
 * place then.
 */
export async function passHeads(coming: Store, dataDir: string): Promise<PassedHeads> {
  const { id } = await coming.identity.read();
  const before = await withStoreInPlace(dataDir, (store) => headsOf(store, id)).catch(() => undefined);
  let last: Head | undefined;
  return {
    heads: {
      list: async () => furthest([...(await coming.audit.list()), ...(before ?? [])]),
      async put(chain, sequence, hash) {
        last = { chain, sequence, hash };
        if (sequence > 0) return;
        await coming.audit.put(chain, sequence, hash);
        if (before) await withStoreInPlace(dataDir, ({ audit }) => audit.put(chain, sequence, hash));
      },
    },
    passOn: () => (before ? takeOver(coming, before) : adoptChains(coming, dataDir)),
    async settle() {
      try {
        if (last) await withStoreInPlace(dataDir, (store) => put(store, last));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        process.stderr.write(`p11kms: the store does not know how the audit record of this ends: ${why}\n`);
      }
    },
  };
}

/** One head of each chain. */
function furthest(heads: readonly Head[]): readonly Head[] {
  const ascending = [...heads].sort((one, other) => one.sequence - other.sequence);
  return [...new Map(ascending.map((head) => [head.chain, head])).values()];
}

/** Nothing where there is no store: it is not for this to make one. */
async function withStoreInPlace<T>(
  dataDir: string,
  work: (store: Store) => Promise<T>,
): Promise<T | undefined> {
  if (!(await storeExists(dataDir))) return undefined;
  const store = await openStore(dataDir);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Another store's chains are no business of this one. */
async function headsOf({ identity, audit }: Store, id: string): Promise<readonly Head[] | undefined> {
  return (await identity.read()).id === id ? audit.list() : undefined;
}

async function put({ audit }: Store, head: Head | undefined): Promise<void> {
  if (head) await audit.put(head.chain, head.sequence, head.hash);
}

/** As they are, also of chains whose files are gone: a restore must not make a chain disappear. */
async function takeOver(store: Store, heads: readonly Head[]): Promise<Chains> {
  const known = new Set((await store.audit.list()).map(({ chain }) => chain));
  for (const head of heads) await put(store, head);
  return { takenOver: heads.filter(({ chain }) => !known.has(chain)).length, adopted: 0, doubtful: [] };
}

/**
 * Puts the heads of the chains in the audit directory into a store that has not seen them, where nothing is wrong with
 * them that can be found without it.
 *
 * @throws StartError, KmsError
 */
export async function adoptChains(store: Store, dataDir: string): Promise<Chains> {
  const { id } = await store.identity.read();
  const heads = await store.audit.list();
  const publicKey = await store.audit.publicKey();
  const progress = createProgress('of the audit record checked');
  const report = verifyAudit({
    dirs: [auditDirectory(dataDir)],
    store: { id, heads },
    ...(publicKey && { publicKey }),
    onProgress: progress.show,
  });
  progress.clear();
  const found = report.findings.filter(({ kind }) => kind !== 'unknown-chain');
  const faulty = new Set(found.map(({ chain }) => chain));
  // Of more findings than are listed nobody knows which chain they are about.
  const areAllListed = report.findings.length === report.findingCount;
  const known = new Set(heads.map(({ chain }) => chain));
  // The open one is this process's, which knows its head better.
  const chains = report.chains.filter(({ state }) => state !== 'open');
  const good = chains.filter(({ chain }) => areAllListed && !faulty.has(chain));
  for (const head of good) await put(store, head);
  const isNew = ({ chain }: Pick<Head, 'chain'>) => !known.has(chain);
  const doubtful = chains.filter((chain) => !good.includes(chain) && isNew(chain));
  return { takenOver: 0, adopted: good.filter(isNew).length, doubtful: doubtful.map(({ chain }) => chain) };
}
