/** What a service does without being asked: rotations and deletions that are due, and cleaning up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createHeartbeat } from './kms/heartbeat';
import { destroyDueKeys } from './kms/key-deletion';
import { type RemovalHooks, removeUnfinished } from './kms/key-versions';
import type { Kms } from './kms/kms';
import type { DoRecorded } from './kms/recorded-work';
import { bringBackRotations, rotateDueKeys } from './kms/rotation';
import type { ServiceRecord } from './service-record';
import type { Logger } from './telemetry/logger';

export interface HousekeepingOptions {
  /** Milliseconds after which no job that was begun can still run on the token. */
  readonly longestJobMs: number;
}

export interface Housekeeping {
  /** Begins nothing more and waits for what is being done, for so many milliseconds at most. */
  stop(limitMs: number): Promise<void>;
}

interface Duty {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

/** An instance may still know a key as it was so long ago, with room to spare. */
const MEMORY_MS = 2_000;
const MAX_PAUSE_MS = 60_000;

/** Starts the duties of a service. Every instance has them all: the store sees to it that each thing is done once. */
export function keepHouse(
  kms: Kms,
  logger: Logger,
  record: ServiceRecord,
  options: HousekeepingOptions,
): Housekeeping {
  const stopping = new AbortController();
  const loops = duties(kms, logger, record, options).map((duty) => repeat(duty, logger, stopping.signal));
  return {
    async stop(limitMs) {
      stopping.abort();
      await Promise.race([Promise.all(loops), sleep(limitMs, undefined, { ref: false })]);
    },
  };
}

function duties(
  kms: Kms,
  logger: Logger,
  record: ServiceRecord,
  { longestJobMs }: HousekeepingOptions,
): Duty[] {
  const drainMs = longestJobMs + MEMORY_MS;
  const failed = (message: string) => (keyId: string, error: unknown) =>
    logger.warn(message, { keyId, error });
  const recorded =
    (operation: string, message: string): DoRecorded =>
    async (keyId, work) => {
      const isDone = await record.recorded(operation, { keyId }, work);
      if (isDone) logger.warn(message, { keyId });
      return isDone;
    };
  return [
    { name: 'recording the time that passes', everyMs: 5_000, run: createHeartbeat(kms.store) },
    { name: 'recording the use of keys', everyMs: 2_000, run: kms.usage.flush },
    {
      name: 'cleaning up after key versions whose making was cut short',
      everyMs: 60_000,
      run: () => cleanUp(kms, logger, record, longestJobMs + 60_000),
    },
    {
      name: 'rotating keys',
      everyMs: 2_000,
      run: () => rotateDueKeys(kms, failed('the rotation of a key failed')),
    },
    // It looks at every key: seldom.
    { name: 'mending rotation schedules', everyMs: 60_000, run: () => bringBackRotations(kms) },
    {
      name: 'destroying keys',
      everyMs: 2_000,
      run: () =>
        destroyDueKeys(kms, drainMs, {
          beginning: recorded('BeginKeyDestruction', 'destroying a key whose deletion is due'),
          destroying: recorded('DestroyKey', 'key destroyed'),
          onFailed: failed('the destruction of a key failed'),
        }),
    },
  ];
}

/** Removes what is left of key versions whose making was cut short. */
export async function cleanUp(
  kms: Kms,
  logger: Logger,
  record: ServiceRecord,
  olderThanMs?: number,
): Promise<void> {
  const hooks: RemovalHooks = {
    async removing({ keyId, number: version }, work) {
      const isDone = await record.recorded('RemoveUnfinishedVersion', { keyId, details: { version } }, work);
      if (isDone) logger.warn('removed a key version whose making was cut short', { keyId, version });
      return isDone;
    },
    onFailed: ({ keyId, number: version }, error) =>
      logger.warn('cannot remove a key version whose making was cut short; will try again', {
        keyId,
        version,
        error,
      }),
  };
  await removeUnfinished(kms, hooks, olderThanMs);
}

/** Failures are logged once, and followed by longer and longer pauses, until it works again. */
async function repeat({ name, everyMs, run }: Duty, logger: Logger, signal: AbortSignal): Promise<void> {
  let pauseMs = everyMs;
  while (await pause(pauseMs, signal)) {
    try {
      await run();
      if (pauseMs > everyMs) logger.info(`${name} works again`);
      pauseMs = everyMs;
    } catch (error) {
      if (pauseMs === everyMs) logger.warn(`${name} failed; will try again`, { error });
      pauseMs = Math.max(everyMs + 1, Math.min(pauseMs * 2, MAX_PAUSE_MS));
    }
  }
}

/** @returns false once the signal is given */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
