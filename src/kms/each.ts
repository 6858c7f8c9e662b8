import { KmsError } from '../errors';

/** With these the token answers nobody: whoever is next would only wait in vain, too. */
const HOPELESS: ReadonlySet<string> = new Set(['KEY_UNAVAILABLE', 'TOKEN_TIMEOUT']);

/**
 * Does the same with one after the other. One that fails does not keep the others from their turn, unless the token
 * is away.
 *
 * @throws the first failure, in the end
 */
export async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await act(item);
    } catch (error) {
      failures.push(error);
      if (error instanceof KmsError && HOPELESS.has(error.code)) break;
    }
  }
  if (failures.length > 0) throw failures[0];
}
