import type { TokenObject } from '../hsm/jobs';
import type { TokenReport } from '../hsm/report';

/** Everything that doctor found; `--json` prints it as it is. */
export interface Diagnosis {
  readonly canRun: boolean;
  /** Why not. */
  readonly trouble?: string;
  readonly report?: TokenReport;
  /** Where the store is: a data directory, or a database of PostgreSQL, which is shown without its password. */
  readonly store: ({ readonly directory: string } | { readonly database: string }) & { readonly id?: string };
  /** Objects of this store on the token that no row of it knows. */
  readonly unknownObjects: readonly TokenObject[];
  readonly removed: readonly string[];
}
