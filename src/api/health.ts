import type { Logger } from '../telemetry/logger';

/** What has to answer before the service is ready, by name. A check rejects where its part does not answer. */
export type Checks = Readonly<Record<string, () => Promise<void>>>;

type PartState = 'ok' | 'unavailable' | 'timeout';

export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartState>>;
}

/**
 * A function that runs the checks. Callers at the same time share one run of each check, and so do later ones
 * while it goes on: a part that hangs is asked once, however often somebody wants to know. Each change from
 * ready to not ready, and back, is logged.
 */
export function readiness(checks: Checks, logger: Logger, timeoutMs = 2000): () => Promise<Readiness> {
  const probes = Object.entries(checks).map(([name, check]) => [name, probe(check)] as const);
  let wasReady: boolean | undefined;

  return async () => {
    const findings = await Promise.all(
      probes.map(async ([name, ask]) => ({ name, ...(await within(timeoutMs, ask())) })),
    );
    const ready = findings.every(({ state }) => state === 'ok');
    const parts = Object.fromEntries(findings.map(({ name, state }) => [name, state]));
    if (ready !== wasReady) {
      wasReady = ready;
      if (ready) logger.info('ready', { parts });
      else
        logger.warn('not ready', { parts, error: findings.find(({ error }) => error !== undefined)?.error });
    }
    return { ready, parts };
  };
}

interface Finding {
  readonly state: PartState;
  readonly error?: unknown;
}

function probe(check: () => Promise<void>): () => Promise<Finding> {
  let running: Promise<Finding> | undefined;
  const run = async (): Promise<Finding> => {
    try {
      await check();
      return { state: 'ok' };
    } catch (error) {
      return { state: 'unavailable', error };
    } finally {
      running = undefined;
    }
  };
  return () => {
    running ??= run();
    return running;
  };
}

async function within(timeoutMs: number, finding: Promise<Finding>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Finding>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, { state: 'timeout' });
  });
  try {
    return await Promise.race([finding, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
