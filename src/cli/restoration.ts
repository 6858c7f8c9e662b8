import type { Differences } from '../kms/recovery';
import type { Chains } from './chains';

/** Everything that restore found and did; `--json` prints it as it is. */
export interface Restoration extends Differences {
  /** Whether the store was put in place and adjusted. */
  readonly restored: boolean;
  /** What restore was asked: only to look (`--check`), and to go on in spite of differences (`--yes`). */
  readonly check: boolean;
  readonly yes: boolean;
  readonly store: {
    readonly id: string;
    /** Where it comes from: a backup's file, or the database that it is in. */
    readonly from: string;
    /** When a service last worked with it before the backup; absent where none did for long enough to note it. */
    readonly lastHeartbeat?: Date;
  };
  /** The file to which the store that was there has gone. */
  readonly previousStore?: string;
  readonly keys: {
    readonly total: number;
    /** Those whose count of AES-GCM calls is at the bound, so that their next encryption rotates them. */
    readonly toRotate: number;
  };
  /** Keys pending deletion, whose windows begin again. */
  readonly deletions: readonly { readonly keyId: string; readonly deletionDate: Date }[];
  /** Versions that were being made, and are on the token: from now on they count. */
  readonly finished: readonly VersionName[];
  /** Versions that were being made, and are not on the token. */
  readonly forgotten: readonly VersionName[];
  /** Chains of the audit record that the backup does not know; absent where nothing was changed. */
  readonly chains?: Chains;
}

interface VersionName {
  readonly keyId: string;
  readonly version: number;
}
