import type { Store } from '../store/store';

const MAX_STEP_MS = 60_000;

/**
 * Records the time that passes, so that a jump of the wall clock destroys no keys. A service adds the time between two
 * looks at the store, by its monotonic clock, if nobody else has added any in between: all instances together never
 * record more time than has passed, and none while no service runs.
 *
 * One look records a minute at most: what a service saw pass while it was suspended, or could not reach the store, must
 * not count towards a deletion that was scheduled only afterwards.
 *
 * @param now milliseconds of a clock that nobody can set
 * @returns what takes one look
 */
export function createHeartbeat(
  { heartbeat }: Pick<Store, 'heartbeat'>,
  now: () => number = () => performance.now(),
): () => Promise<void> {
  let seen: { readonly ms: number; readonly at: number } | undefined;
  return async () => {
    // Before the store is read: what it holds then is at least as old.
    const at = now();
    const ms = await heartbeat.read();
    if (seen?.ms !== ms) {
      seen = { ms, at: now() };
      return;
    }
    const next = ms + Math.min(MAX_STEP_MS, Math.floor(at - seen.at));
    seen = (await heartbeat.advance(ms, next)) ? { ms: next, at } : undefined;
  };
}
