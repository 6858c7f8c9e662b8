import type { StoreConfig } from '../config/load';
import type { Store } from '../store/store';

/** A change made by the command line, as the audit record tells it. */
export interface Change {
  /** Such as `CreatePrincipal`. */
  readonly operation: string;
  /** No secrets. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** Makes a change. Every change that the command line makes to principals goes through here. */
export async function recorded<T>(
  _place: { readonly config: StoreConfig; readonly store: Store },
  _change: Change,
  work: () => Promise<T>,
): Promise<T> {
  return work();
}
