/**
 * One token and everything that belongs to it: its lanes of workers, what is known of it, its PIN. A service can
 * hold several.
 */
import { EXIT, KmsError, StartError } from '../errors';
import type { JobInput, JobName, JobOutput, StartMessage, TokenObject } from './jobs';
import { Lane } from './lane';
import { LoginGate } from './login-gate';
import type { TokenObserver } from './observer';
import { forgetRefusedPin, rememberRefusedPin, wasRefused } from './refused-pin';
import type { Dialect, GcmIvSource, TokenReport } from './report';
import { WorkerProcess, WorkerStartError } from './worker-process';

/** Which token, and how to open it. */
export interface TokenAddress {
  readonly module: string;
  readonly initArgs?: string;
  readonly tokenLabel: string;
  readonly pin: Buffer;
  readonly gcmIv: GcmIvSource;
  /** The store's own object; absent where there is no store. */
  readonly serviceKey?: TokenObject & { readonly mayCreate: boolean };
  /** Where a PIN that the token refused is remembered. */
  readonly dataDir: string;
}

export interface TokenOptions extends TokenAddress {
  readonly tokenWorkers: number;
  readonly keyPairWorkers: number;
  readonly tokenTimeoutMs: number;
  readonly keyPairTimeoutMs: number;
  readonly queue: number;
  readonly workerJobs: number;
  readonly observer: TokenObserver;
  /** The token refuses the PIN that it once took: the service must end, and not come back by itself. */
  readonly onFatal: (error: StartError) => void;
}

/** The report of a token that p11kms can work with. */
export type UsableTokenReport = TokenReport & { readonly dialect: Dialect };

/** A request, as far as the token is concerned. */
export interface Caller {
  /** Adds up the time that the token spends on the request. */
  tokenMs: number;
  /** Whether the client went away: a job that waits for a worker is then not begun. */
  readonly isGone?: () => boolean;
}

export interface Token {
  readonly report: UsableTokenReport;
  /**
   * Has a job done on the token.
   *
   * @param mayRepeat asked before a job that was lost with its worker is done again
   * @throws KmsError
   */
  run<N extends JobName>(
    name: N,
    input: JobInput<N>,
    caller?: Caller,
    mayRepeat?: () => boolean,
  ): Promise<JobOutput<N>>;
  /** @throws KmsError where the token does not answer or is not this store's */
  ping(): Promise<void>;
  stats(): { readonly lanes: readonly Lane['stats'][] };
  /**
   * Begins no job more but signatures: what comes or waits is refused. Jobs in flight get `graceMs`, and end with their
   * workers then. To be called before `close`.
   */
  endJobs(graceMs: number): Promise<void>;
  /** Ends all workers; jobs in flight get `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts the workers of a token; the first proves what the token can do.
 *
 * @throws StartError
 */
export async function startToken(options: TokenOptions): Promise<Token> {
  const { observer, tokenTimeoutMs: deadlineMs, queue, workerJobs, dataDir, tokenLabel, pin } = options;
  await assertPinUntried(options);
  let dialect: Dialect | undefined;
  let running = false;
  const gate = new LoginGate((error) => {
    // Until then the error is what the start ends with.
    if (running) void pinTrouble(options, error).then(options.onFatal);
  });
  const owner = { observer, gate, startMessage: () => startMessage(options, dialect) };
  const shared = { queue, workerJobs };
  const token = new Lane({ ...shared, name: 'token', size: options.tokenWorkers, deadlineMs }, owner);
  const keyPairs = new Lane(
    { ...shared, name: 'key-pairs', size: options.keyPairWorkers, deadlineMs: options.keyPairTimeoutMs },
    owner,
  );
  const close = async (graceMs: number) => {
    await Promise.all([token.close(graceMs), keyPairs.close(graceMs)]);
    pin.fill(0);
  };
  try {
    const [first] = await token.open(1);
    const report = first?.report;
    if (!report?.dialect) throw new Error('the first worker made no report');
    dialect = report.dialect;
    await forgetRefusedPin(dataDir, tokenLabel);
    await Promise.all([token.open(), keyPairs.open()]);
    running = true;
    const stats = () => ({ lanes: [token.stats, keyPairs.stats] });
    const endJobs = async (graceMs: number) => {
      await Promise.all([token.endJobs(graceMs), keyPairs.close(graceMs)]);
    };
    return { report: { ...report, dialect }, stats, endJobs, close, ...jobs(observer, token, keyPairs) };
  } catch (error) {
    // First, because a PIN that was refused is remembered, and closing zeroes it.
    const startError = await startErrorOf(options, error);
    await close(0);
    throw startError;
  }
}

/** What one worker finds out about a token, and why the token cannot be used where it cannot. */
export interface Inspection {
  readonly report?: TokenReport;
  readonly trouble?: StartError;
}

/**
 * Looks at a token through one worker and lends it to `use` while it can be used.
 *
 * @throws StartError where this PIN was refused before, and whatever `use` throws
 */
export async function inspectToken(
  address: TokenAddress,
  use: (worker: WorkerProcess) => Promise<void>,
): Promise<Inspection> {
  await assertPinUntried(address);
  const quiet = { ended: () => undefined, output: () => undefined };
  const { signal } = new AbortController();
  let worker: WorkerProcess;
  try {
    worker = await WorkerProcess.start(startMessage(address, undefined), quiet, signal);
  } catch (error) {
    const trouble = await startErrorOf(address, error);
    if (!(trouble instanceof StartError)) throw trouble;
    const report = error instanceof WorkerStartError ? error.report : undefined;
    return { trouble, ...(report && { report }) };
  }
  try {
    await use(worker);
  } finally {
    await worker.stop('stopped');
  }
  return worker.report ? { report: worker.report } : {};
}

function startMessage(options: TokenAddress, dialect: Dialect | undefined): StartMessage {
  const { module, initArgs, tokenLabel, pin, gcmIv, serviceKey } = options;
  return {
    type: 'start',
    module,
    ...(initArgs !== undefined && { initArgs }),
    tokenLabel,
    pin,
    pinProven: dialect !== undefined,
    gcmIv,
    ...(serviceKey && { serviceKey: { ...serviceKey, mayCreate: serviceKey.mayCreate && !dialect } }),
    ...(dialect && { dialect }),
  };
}

function jobs(observer: TokenObserver, token: Lane, keyPairs: Lane): Pick<Token, 'run' | 'ping'> {
  const run = async <N extends JobName>(
    name: N,
    input: JobInput<N>,
    caller?: Caller,
    mayRepeat?: () => boolean,
  ): Promise<JobOutput<N>> => {
    const lane = name === 'generateKeyPair' ? keyPairs : token;
    const begun = performance.now();
    const report = (outcome: Parameters<TokenObserver['jobDone']>[0]['outcome'], ms: number) =>
      observer.jobDone({ job: name, lane: lane.name, outcome, ms });
    try {
      const { output, ms } = await lane.run(name, input, { isUnwanted: caller?.isGone, mayRepeat });
      if (caller) caller.tokenMs += ms;
      report('ok', ms);
      return output as JobOutput<N>;
    } catch (error) {
      report(error instanceof KmsError ? error.code : 'INTERNAL', performance.now() - begun);
      throw error;
    }
  };
  const ping = async () => {
    // Not asked: a ping would wait behind key pairs that take seconds.
    if (keyPairs.isDown())
      throw new KmsError('KEY_UNAVAILABLE', 'No worker for key pairs can reach the token.');
    await run('ping', {});
  };
  return { run, ping };
}

/** @throws StartError where the token is known to refuse this PIN */
async function assertPinUntried({ dataDir, tokenLabel, pin }: TokenAddress): Promise<void> {
  const memory = await wasRefused(dataDir, tokenLabel, pin);
  if (!memory) return;
  throw new StartError(
    `the token "${tokenLabel}" refused this PIN on ${memory.when} and it was not tried again, so that restarts do not ` +
      `lock the token: correct P11KMS_PIN_FILE, or remove ${memory.file} if the PIN is right after all`,
    EXIT.pinRefused,
  );
}

async function pinTrouble(
  { dataDir, tokenLabel, pin }: TokenAddress,
  error: WorkerStartError,
): Promise<StartError> {
  const trouble = `token "${tokenLabel}": ${error.message}`;
  if (error.failure !== 'pin-refused') return new StartError(trouble, EXIT.pinRefused);
  try {
    await rememberRefusedPin(dataDir, tokenLabel, pin);
  } catch (cause) {
    const risk = 'it could not be remembered, so another start tries it again, which may lock the token';
    return new StartError(`${trouble}: correct P11KMS_PIN_FILE; ${risk}: ${cause}`, EXIT.pinRefused, {
      cause,
    });
  }
  const advice = 'correct P11KMS_PIN_FILE; this PIN will not be tried again';
  return new StartError(`${trouble}: ${advice}`, EXIT.pinRefused);
}

async function startErrorOf(options: TokenAddress, error: unknown): Promise<unknown> {
  if (!(error instanceof WorkerStartError)) return error;
  return error.failure.startsWith('pin-') ? pinTrouble(options, error) : new StartError(error.message);
}
