import { KmsError } from '../errors';
import type { Engine, ExclusiveWork } from './engine';

const WAIT_MS = 30_000;
const MAX_WAITING = 64;

export type Exclusively = <T>(name: ExclusiveWork, work: () => Promise<T>) => Promise<T>;

/**
 * A function that does work of one name one at a time, in the order of the calls, first in this process and then
 * across all of them: so a process takes one place in the database's queue, however many of its requests wait. They are
 * not many: THROTTLED where there would be more.
 */
export function exclusively(engine: Pick<Engine, 'alone'>, waitMs = WAIT_MS): Exclusively {
  const turns = { start: createTurns(), 'token-objects': createTurns() };
  return async (name, work) => {
    const begun = performance.now();
    await turns[name].take(waitMs);
    try {
      return await engine.alone(name, waitMs - (performance.now() - begun), work);
    } finally {
      turns[name].pass();
    }
  };
}

export const tookTooLong = (cause?: unknown): KmsError =>
  new KmsError('TOKEN_TIMEOUT', 'Others that must not be disturbed took too long. Try again.', { cause });

const tooMany = (): KmsError =>
  new KmsError('THROTTLED', 'Too many requests are waiting to change keys on the token: try again later.');

interface Turns {
  /** Resolves when it is the caller's turn; rejects when it is not within so many milliseconds, or too many wait. */
  take(limitMs: number): Promise<void>;
  /** Lets the next have its turn. */
  pass(): void;
}

function createTurns(): Turns {
  const waiting: (() => void)[] = [];
  let taken = false;
  return {
    take(limitMs) {
      if (!taken) {
        taken = true;
        return Promise.resolve();
      }
      if (waiting.length >= MAX_WAITING) return Promise.reject(tooMany());
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(enter), 1);
          reject(tookTooLong());
        }, limitMs);
        const enter = () => {
          clearTimeout(timer);
          resolve();
        };
        waiting.push(enter);
      });
    },
    pass() {
      const next = waiting.shift();
      if (next) next();
      else taken = false;
    },
  };
}
