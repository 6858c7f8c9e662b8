/**
 * Counts the AES-GCM calls under every key version. With random 96-bit IVs one key may make 2^32 of them (NIST SP
 * 800-38D, section 8.3). Calls are counted before they are made, out of blocks that are reserved in the store: a
 * crash loses what is left of a block, and never lets a call go uncounted.
 */
import type { VersionName } from '../store/key-versions';
import type { Store } from '../store/store';

export interface GcmCalls {
  /** Counts one more call. False where the version has none left. */
  take(version: VersionName): Promise<boolean>;
  /** The same out of what is reserved already: for a job that is to be done again at once. */
  takeReserved(version: VersionName): boolean;
}

/** So many calls at most are lost in a crash, and so many cost one write to the store. */
const MAX_BLOCK = 65_536;
/** A small bound has small blocks, so that instances share it and a crash wastes little. */
const BLOCKS_PER_BOUND = 65_536;

interface Block {
  left: number;
  /** Resolves to how many were reserved. */
  reserving?: Promise<number> | undefined;
}

/** @param bound AES-GCM calls that one version may make */
export function createGcmCalls({ versions }: Pick<Store, 'versions'>, bound: number): GcmCalls {
  const blocks = new Map<string, Block>();
  const size = Math.min(MAX_BLOCK, Math.max(1, Math.floor(bound / BLOCKS_PER_BOUND)));

  const blockOf = ({ keyId, number }: VersionName): Block => {
    const name = `${keyId}/${number}`;
    const block = blocks.get(name) ?? { left: 0 };
    blocks.set(name, block);
    return block;
  };

  const takeReserved = (version: VersionName): boolean => {
    const block = blockOf(version);
    if (block.left === 0) return false;
    block.left--;
    return true;
  };

  const reserve = async (version: VersionName, block: Block): Promise<number> => {
    try {
      const reserved = await versions.reserveCalls(version, size, bound);
      block.left += reserved;
      return reserved;
    } finally {
      block.reserving = undefined;
    }
  };

  return {
    takeReserved,
    async take(version) {
      const block = blockOf(version);
      while (!takeReserved(version)) {
        // All that wait share one reservation; whoever comes too late for its calls makes the next.
        block.reserving ??= reserve(version, block);
        if ((await block.reserving) === 0) return false;
      }
      return true;
    },
  };
}
