import type { KeyPairSpecName } from './key-pair-specs';

/** How a private key is wrapped: by AES-GCM itself, or by RFC 5649 with AES-GCM around it. */
export type Wrapping = 'gcm' | 'kwp+gcm';

/** Who makes the IV of an AES-GCM encryption: p11kms from the token's generator, or the token itself. */
export type GcmIvSource = 'host' | 'token';

/**
 * What the proofs found out about a token and every worker has to know to speak to it. The first worker
 * finds it; the others are told.
 */
export interface Dialect {
  readonly wrapping: Wrapping;
  /** The number under which this token does RFC 5649; absent where it does not. */
  readonly kwpMechanism?: number;
  /** Unwrapping an EC key takes the public point as CKA_NSS_DB. */
  readonly ecUnwrapTakesPoint: boolean;
}

/** One mechanism that p11kms would use. */
export interface MechanismReport {
  readonly name: string;
  readonly number: number;
  /** In the token's list, with the flags that p11kms needs. */
  readonly found: boolean;
  /** Seen to do what its name says; absent where there was nothing to prove. */
  readonly proved?: boolean;
  readonly note?: string;
}

export interface SpecReport {
  readonly name: KeyPairSpecName;
  readonly works: boolean;
  readonly note?: string;
}

/** What a token is and can do, as its first worker found it. */
export interface TokenReport {
  readonly module: { readonly description: string; readonly manufacturer: string; readonly version: string };
  readonly token: {
    readonly label: string;
    readonly serial: string;
    readonly model: string;
    readonly manufacturer: string;
    readonly firmware: string;
  };
  readonly mechanisms: readonly MechanismReport[];
  readonly specs: readonly SpecReport[];
  /** Absent where the token can wrap in neither way: then `missing` says what it lacks. */
  readonly dialect?: Dialect;
  /** Private keys can leave the token where the settings allow it. */
  readonly canExport: boolean;
  readonly missing: readonly string[];
  /** Absent where the token does not tell. Memory in bytes. */
  readonly limits: {
    readonly maxSessions?: number;
    readonly maxReadWriteSessions?: number;
    readonly openSessions?: number;
    readonly freePrivateMemory?: number;
    readonly freePublicMemory?: number;
  };
  readonly warnings: readonly string[];
}
