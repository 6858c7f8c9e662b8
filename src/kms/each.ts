import { KmsError, type KmsErrorCode } from '../errors';

const FOR_ALL: readonly KmsErrorCode[] = ['KEY_UNAVAILABLE', 'AUDIT_UNAVAILABLE'];

/**
 * Does the same with one after the other. One that fails does not keep the others from their turn, unless the token
 * is away, or nothing can be recorded: then whoever is next would only fail, too.
 *
 * @param onFailed told of each failure
 * @throws the first failure, in the end
 */
export async function each<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
  onFailed: (item: T, error: unknown) => void,
): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await act(item);
    } catch (error) {
      onFailed(item, error);
      failures.push(error);
      if (error instanceof KmsError && FOR_ALL.includes(error.code)) break;
    }
  }
  if (failures.length > 0) throw failures[0];
}
