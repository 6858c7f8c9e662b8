/**
 * Who may log in, and when. The PIN may have been changed since it last worked, and tokens lock after a few wrong
 * ones: where many workers start at once, one of them tries it, and the others wait for how that ends.
 */
import { WorkerStartError } from './worker-process';

/** What one worker meets and the next may not; everything else is true of the token. */
const OF_ONE_WORKER: ReadonlySet<WorkerStartError['failure']> = new Set(['crashed', 'token-error']);

export class LoginGate {
  private pilot: Promise<unknown> | undefined;
  private refusal: WorkerStartError | undefined;

  /** @param onRefused told once that the token refused the PIN, or has locked it */
  constructor(private readonly onRefused: (error: WorkerStartError) => void) {}

  /**
   * Starts a worker: at once, or after the one that is starting now.
   *
   * @throws WorkerStartError the worker's own, or what the one that it waited for found out about the token
   */
  async pass<T>(start: () => Promise<T>): Promise<T> {
    for (let { pilot } = this; pilot; { pilot } = this) {
      const failure = await failureOf(pilot);
      if (failure === undefined) return this.logIn(start);
      if (failure instanceof WorkerStartError && !OF_ONE_WORKER.has(failure.failure)) throw failure;
    }
    const login = this.logIn(start);
    this.pilot = login;
    try {
      return await login;
    } finally {
      this.pilot = undefined;
    }
  }

  private async logIn<T>(start: () => Promise<T>): Promise<T> {
    if (this.refusal) throw this.refusal;
    try {
      return await start();
    } catch (error) {
      if (error instanceof WorkerStartError && error.failure.startsWith('pin-')) this.refuse(error);
      throw error;
    }
  }

  private refuse(error: WorkerStartError): void {
    if (this.refusal) return;
    this.refusal = error;
    this.onRefused(error);
  }
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
