const PROGRESS_AFTER_MS = 1_000;
const PROGRESS_EVERY_MS = 200;

/** One line that changes, for a person who waits. */
export interface Progress {
  /** @param done how much of all, from 0 to 1 */
  show(done: number): void;
  clear(): void;
}

/**
 * Progress at a terminal, and only of what is not over in a moment.
 *
 * @param what becomes of it: `copied`
 */
export function createProgress(what: string): Progress {
  let due = performance.now() + PROGRESS_AFTER_MS;
  let shown = false;
  return {
    show(done) {
      if (!process.stderr.isTTY || performance.now() < due) return;
      due = performance.now() + PROGRESS_EVERY_MS;
      shown = true;
      process.stderr.write(`\r${Math.floor(done * 100)} % ${what}`);
    },
    clear() {
      if (shown) process.stderr.write('\r\x1b[K');
      shown = false;
    },
  };
}
