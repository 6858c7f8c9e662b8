/** What a worker holds while it works, and how it gets back on its feet after a call that failed. */
import { KmsError } from '../../errors';
import type { Dialect, GcmIvSource } from '../report';
import { type Canary, canarySings } from './canary';
import { ckrOf, faultOf, isLoss, isStaleHandle } from './ckr';
import { type Connection, renewSession } from './connection';
import { type Handles, type ObjectKind, objectHandle } from './objects';
import type { ObjectHandle, Session } from './session';
import { TokenLost } from './worker-errors';

export interface TokenWorker {
  readonly connection: Connection;
  readonly session: Session;
  readonly handles: Handles;
  readonly dialect: Dialect;
  readonly gcmIv: GcmIvSource;
  /** Absent where the worker serves no store. */
  readonly canary?: Canary;
}

export function handleOf({ session, handles }: TokenWorker, id: string, kind?: ObjectKind): ObjectHandle {
  return objectHandle(session, handles, id, kind);
}

/**
 * Runs one job. A handle that has gone stale is looked up anew and the job done again, once; whatever else
 * fails leaves a session that is fit for the next job, or ends the worker. A job that has encrypted is not done again
 * here, but lost: the service has to count what it does again.
 *
 * @throws KmsError for the caller
 * @throws TokenLost when this process must not go on
 */
export function attempt<T>(worker: TokenWorker, job: () => T): T {
  const { encryptions } = worker.session;
  try {
    return job();
  } catch (error) {
    const ckr = ckrOf(error);
    if (ckr === undefined || !isStaleHandle(ckr)) return recover(worker, error);
    if (worker.session.encryptions !== encryptions) throw new TokenLost(faultOf(error));
    assertAlive(worker, error);
    worker.handles.clear();
  }
  try {
    return job();
  } catch (error) {
    return recover(worker, error);
  }
}

/** Leaves the worker fit for the next job and throws what the caller shall see of `error`. */
function recover(worker: TokenWorker, error: unknown): never {
  if (error instanceof KmsError) {
    // An object that cannot be found may be missing because the whole token is.
    if (error.code === 'KEY_UNAVAILABLE') assertAlive(worker, error);
    throw error;
  }
  const ckr = ckrOf(error);
  if (ckr !== undefined && isLoss(ckr)) throw new TokenLost(faultOf(error));
  renew(worker, error);
  assertAlive(worker, error);
  throw new KmsError('INTERNAL', 'The token could not do what was asked of it.', { cause: error });
}

/** @throws TokenLost, with what `error` says, where no new session opens */
export function renew(worker: TokenWorker, error: unknown): void {
  try {
    renewSession(worker.connection);
  } catch {
    throw new TokenLost(faultOf(error));
  }
}

/** @throws TokenLost unless the canary sings, if need be in a fresh session */
export function assertAlive(worker: TokenWorker, error: unknown): void {
  const { canary } = worker;
  if (!canary || canarySings(worker.session, canary)) return;
  renew(worker, error);
  if (!canarySings(worker.session, canary)) throw new TokenLost(faultOf(error));
}
