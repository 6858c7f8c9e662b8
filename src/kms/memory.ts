/** Remembering for a moment what the store said. */

/** What another process changes applies here this much later at most. */
const MEMORY_MS = 1_000;
/** Bounds the memory; a client can make up names without end. */
const MEMORY_ENTRIES = 10_000;

export interface Memory<T> {
  /** What is remembered under the name, or else what `look` finds; failures are not remembered. */
  recall(name: string, look: () => Promise<T>): Promise<T>;
  forget(name?: string): void;
}

export function createMemory<T>(): Memory<T> {
  let entries = new Map<string, { readonly found: Promise<T>; readonly until: number }>();
  return {
    recall(name, look) {
      const now = performance.now();
      const known = entries.get(name);
      if (known && known.until > now) return known.found;
      if (entries.size >= MEMORY_ENTRIES) entries = new Map();
      const found = look();
      const into = entries;
      into.set(name, { found, until: now + MEMORY_MS });
      found.catch(() => into.delete(name));
      return found;
    },
    forget(name) {
      if (name === undefined) entries = new Map();
      else entries.delete(name);
    },
  };
}
