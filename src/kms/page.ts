import { KmsError } from '../errors';

/** One page of a listing, and where the next one starts. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextMarker?: string;
}

/** @param found up to `limit` items and, where there are more, the first of those */
export function pageOf<T>(found: readonly T[], limit: number, markerOf: (last: T) => string): Page<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return found.length > limit && last ? { items, nextMarker: markerOf(last) } : { items };
}

/** A marker that no page ended with. */
export const invalidMarker = (): KmsError => new KmsError('INVALID_MARKER', 'The marker is not valid.');
