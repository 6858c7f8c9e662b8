import type { JobInput, JobOutput } from '../../jobs';
import { destroyById, findById } from '../objects';
import { generateAesKey } from '../session';
import { tokenAesKey } from '../templates';
import type { TokenWorker } from '../token-worker';

/** The two objects of a key version: both, or neither. */
export function createKeyObjects(
  { session, handles }: TokenWorker,
  { encrypt, wrap }: JobInput<'createKeyObjects'>,
): JobOutput<'createKeyObjects'> {
  // SoftHSM reads anew what other processes have made when it searches and its count of changes is behind the token's.
  // Making an object brings that count up to date without the reading: what it had not seen before stays invisible.
  findById(session, encrypt.id);
  try {
    generateAesKey(session, tokenAesKey('encrypt', encrypt));
    generateAesKey(session, tokenAesKey('wrap', wrap));
  } catch (error) {
    tryToDestroy(() => destroyById(session, handles, [encrypt.id, wrap.id]));
    throw error;
  }
  return {};
}

/** What stays behind is found by the ids of the row that is still in state creating. */
function tryToDestroy(destroy: () => void): void {
  try {
    destroy();
  } catch {
    // The error that brought us here is the one to report.
  }
}
