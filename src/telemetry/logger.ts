import { createLogger as createWinston, format, type Logger, transports } from 'winston';

export type { Logger };
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** What a log line tells of an error. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  readonly cause?: ErrorRecord;
}

/** A chain of causes is followed so far; one that leads back to itself would have no end. */
const MAX_CAUSES = 8;

/**
 * A logger that writes one JSON object a line: timestamp (ISO 8601, UTC), level, message, then the fields.
 * Errors among the fields are written with their chain of causes.
 */
export function createLogger(level: LogLevel, stream: NodeJS.WritableStream = process.stdout): Logger {
  return createWinston({
    level,
    format: format.printf(toLine),
    transports: [new transports.Stream({ stream })],
  });
}

/** An error as plain data. Of its own properties only the code: any other may hold what must not be logged. */
export function describeError(error: unknown, depth = 0): ErrorRecord {
  if (!isError(error)) return { name: typeof error, message: String(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return {
    name,
    message,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: describeError(cause, depth + 1) }),
  };
}

/** Not instanceof: errors of native modules and of other processes are of another Error class. */
function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value && 'name' in value;
}

function toLine(info: Record<string, unknown>): string {
  const line: Record<string, unknown> = {
    timestamp: new Date().toISOString(),
    level: info.level,
    message: info.message,
  };
  for (const field in info) {
    const value = info[field];
    if (field !== 'level' && field !== 'message') line[field] = isError(value) ? describeError(value) : value;
  }
  if (info instanceof Error) line.error = describeError(info);
  try {
    return JSON.stringify(line);
  } catch (error) {
    // A field that JSON cannot hold must not cost the caller its request.
    const { timestamp, level, message } = line;
    return JSON.stringify({ timestamp, level, message: String(message), unloggable: String(error) });
  }
}
