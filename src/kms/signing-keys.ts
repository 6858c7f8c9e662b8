/** The signing keys of access keys: derived once, remembered, and zeroed when they go. */

/** Bounds the memory: more access keys than this are not in use at a time. */
const MAX_ACCESS_KEYS = 10_000;

interface Entry {
  readonly sealedSecret: string;
  /** By date. A promise, so that whoever comes while a key is being made waits for that. */
  readonly byDate: Map<string, Promise<Buffer>>;
}

export interface SigningKeys {
  /**
   * The signing key of an access key on a date, from memory, or else from `make`. What was made from another sealed
   * secret is forgotten, and so are dates that are none of `dates`. Failures are not remembered.
   *
   * @returns a copy
   */
  find(wanted: Wanted, make: () => Promise<Buffer>): Promise<Buffer>;
  /** Forgets those of one access key, or all. */
  forget(accessKeyId?: string): void;
}

export interface Wanted {
  readonly accessKeyId: string;
  readonly sealedSecret: string;
  readonly date: string;
  /** Those that are worth remembering. */
  readonly dates: readonly string[];
}

export function createSigningKeys(): SigningKeys {
  const entries = new Map<string, Entry>();

  const forget = (accessKeyId: string) => {
    for (const key of entries.get(accessKeyId)?.byDate.values() ?? []) wipe(key);
    entries.delete(accessKeyId);
  };

  const entryFor = (accessKeyId: string, sealedSecret: string): Entry => {
    const known = entries.get(accessKeyId);
    if (known?.sealedSecret === sealedSecret) return known;
    forget(accessKeyId);
    const [oldest] = entries.keys();
    if (oldest !== undefined && entries.size >= MAX_ACCESS_KEYS) forget(oldest);
    const entry = { sealedSecret, byDate: new Map() };
    entries.set(accessKeyId, entry);
    return entry;
  };

  return {
    find({ accessKeyId, sealedSecret, date, dates }, make) {
      const { byDate } = entryFor(accessKeyId, sealedSecret);
      let key = byDate.get(date);
      if (!key) {
        for (const [past, old] of byDate) {
          if (dates.includes(past)) continue;
          wipe(old);
          byDate.delete(past);
        }
        key = make();
        byDate.set(date, key);
        key.catch(() => byDate.delete(date));
      }
      // Copied by whoever asked first of all: a key of zeros that somebody trusted would be everybody's key.
      return key.then((bytes) => Buffer.from(bytes));
    },

    forget(accessKeyId) {
      for (const id of accessKeyId === undefined ? [...entries.keys()] : [accessKeyId]) forget(id);
    },
  };
}

/** After everybody who asked for it before has copied it: promises tell them in the order in which they asked. */
function wipe(key: Promise<Buffer>): void {
  key.then(
    (bytes) => bytes.fill(0),
    () => undefined,
  );
}
