import type { RefusalReason } from '../access/evaluate';
import type { Wrapping } from '../hsm/report';
import type { Token } from '../hsm/token';
import type { RotationCause } from '../store/schema';
import type { Store } from '../store/store';
import type { Arns } from './arns';
import type { EncryptionContext } from './encryption-context';
import type { GcmCalls } from './gcm-calls';
import type { KeyDirectory } from './key-directory';
import type { Principal, PrincipalDirectory } from './principal-directory';
import type { SingleFlight } from './single-flight';
import type { UsageLog } from './usage-log';

/** What the owner of the service decided about plaintext private keys (`P11KMS_PRIVATE_KEY_EXPORT`). */
export type PrivateKeyExport = 'never' | 'on-request' | 'aws';

/** What every operation of the domain works with. */
export interface Kms {
  readonly store: Store;
  readonly token: Token;
  /** The store's id, part of the label of every object on the token. */
  readonly storeId: string;
  readonly arns: Arns;
  readonly keys: KeyDirectory;
  readonly principals: PrincipalDirectory;
  readonly gcmCalls: GcmCalls;
  readonly usage: UsageLog;
  /** Rotations of keys whose AES-GCM calls are used up, by key id. */
  readonly exhausted: SingleFlight;
  readonly privateKeyExport: PrivateKeyExport;
  /** Does every rotation, and has it recorded. */
  readonly rotating: (keyId: string, cause: RotationCause, work: () => Promise<boolean>) => Promise<boolean>;
}

/** Where a request came from. */
export interface Source {
  /** IPv4 or IPv6; absent where the connection had none any more. */
  readonly address?: string;
  /** Whether it came over TLS, as far as can be known. */
  readonly secure: boolean;
}

/**
 * One request on its way through the domain. The protocol makes it; the domain writes into it what the
 * log and the audit record want to know.
 */
export interface Call {
  readonly requestId: string;
  /** The protocol's name of the operation. */
  readonly operation: string;
  readonly caller: Principal;
  readonly source: Source;
  /** The key that the request turned out to be about. */
  keyId?: string;
  /** What the request binds to, or opens. */
  encryptionContext?: EncryptionContext;
  /** What ReEncrypt opened; the two above are of what it made. */
  from?: { readonly keyId: string; readonly encryptionContext?: EncryptionContext };
  /** How the private key is wrapped that the request is about. */
  wrapping?: Wrapping;
  /** What else is to be known of what was done. Nothing secret. */
  details?: Readonly<Record<string, string | number>>;
  /** Why the policies refused it. */
  denied?: RefusalReason;
  /** Milliseconds that the token spent on the request. */
  tokenMs: number;
  /** Whether the client went away: what has not begun then need not. */
  readonly isGone?: () => boolean;
}
