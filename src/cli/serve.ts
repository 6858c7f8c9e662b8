import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../config/load';
import { pinWarning } from '../config/pin';
import { EXIT } from '../errors';
import { type Service, startService } from '../service';
import { createLogger, type Logger } from '../telemetry/logger';

/** A little above what the service allows itself: what hangs past that is left to the workers' own watch. */
const CLOSE_LIMIT_MS = 9_500;
/** What a start gets to come to its end: a token that hangs must not keep a signal waiting. */
const START_LIMIT_MS = 2_000;

/**
 * Runs the service until a signal ends it, and ends the process: with 0 after SIGTERM or SIGINT. SIGHUP has it read
 * its TLS certificate again; where there is none, it ends it, too.
 *
 * @throws StartError
 */
export async function serve(): Promise<void> {
  const config = loadConfig(process.env);
  const logger = createLogger(config.logLevel);
  const warning = pinWarning(config.pin);
  if (warning) logger.warn(warning);
  let starting: Promise<Service> | undefined;
  const end = endOnce(logger, () => starting);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => void end(0, `signal ${signal}`));
  process.on('SIGHUP', () => {
    // What a start that fails has to say is said by its caller.
    if (config.tls) void starting?.then(({ reloadTls }) => reloadTls()).catch(() => undefined);
    // The terminal was closed.
    else void end(0, 'signal SIGHUP');
  });
  process.on('uncaughtException', (error) => {
    logger.error('unforeseen error, the service ends', { error });
    void end(EXIT.failed, 'unforeseen error');
  });
  starting = startService(config, logger, (error) => {
    logger.error(error.message, { error });
    void end(error.exitCode, 'fatal error');
  });
  await starting;
}

/** Ends the service once, also one that is still starting. */
function endOnce(logger: Logger, starting: () => Promise<Service> | undefined) {
  let ending = false;
  return async (exitCode: number, why: string): Promise<void> => {
    if (ending) return;
    ending = true;
    logger.info('p11kms ends', { why });
    setTimeout(() => process.exit(exitCode || EXIT.failed), CLOSE_LIMIT_MS).unref();
    const service = await Promise.race([
      starting()?.catch(() => undefined),
      sleep(START_LIMIT_MS, undefined),
    ]);
    await service?.close();
    logger.info('p11kms has ended', { exitCode });
    process.exit(exitCode);
  };
}
