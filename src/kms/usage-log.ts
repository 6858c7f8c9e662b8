/** When each key was last used, kept in memory for a moment so that no request waits for the store. */
import type { KeyUsageRow } from '../store/key-usage';
import type { Store } from '../store/store';
import type { Key } from './key';

export interface UsageLog {
  /** A cryptographic operation with the key has succeeded. */
  note(key: Key, use: { readonly operation: string; readonly requestId: string }): void;
  /** Writes what was noted to the store. What cannot be written now is kept for the next time. */
  flush(): Promise<void>;
}

export function createUsageLog({ usage }: Pick<Store, 'usage'>): UsageLog {
  let noted = new Map<string, KeyUsageRow>();
  return {
    note({ id }, { operation, requestId }) {
      noted.set(id, { key_id: id, operation, request_id: requestId, used_at: Date.now() });
    },
    async flush() {
      if (noted.size === 0) return;
      const uses = noted;
      noted = new Map();
      try {
        await usage.record([...uses.values()]);
      } catch (error) {
        noted = new Map([...uses, ...noted]);
        throw error;
      }
    },
  };
}
