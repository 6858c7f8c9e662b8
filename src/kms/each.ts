import { KmsError } from '../errors';

/**
 * Does the same with one after the other. One that fails does not keep the others from their turn, unless the token
 * is away: then whoever is next would only fail, too.
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
      if (error instanceof KmsError && error.code === 'KEY_UNAVAILABLE') break;
    }
  }
  if (failures.length > 0) throw failures[0];
}
