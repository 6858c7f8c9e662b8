import type { RotationCause } from '../store/schema';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A KMS key's id: a UUID in lower case. */
export type KeyId = Branded<string, 'KeyId'>;
/** `PREFIX:key/ID`. */
export type KeyArn = Branded<string, 'KeyArn'>;
/** `alias/NAME`. */
export type AliasName = Branded<string, 'AliasName'>;
/** `PREFIX:alias/NAME`. */
export type AliasArn = Branded<string, 'AliasArn'>;

/** Where a key is in its life. A destroyed key is none: it is not found. */
export type KeyState = 'enabled' | 'disabled' | 'pending-deletion';

/** What a client may know of a KMS key. */
export interface Key {
  readonly id: KeyId;
  readonly arn: KeyArn;
  readonly description: string;
  /** The key policy as it was put, JSON; absent while the default policy applies. */
  readonly policy?: string;
  readonly state: KeyState;
  readonly createdAt: Date;
  /** When it will be destroyed; only while it is pending deletion. */
  readonly deletionAt?: Date;
  /** Automatic rotation; absent while it is off. */
  readonly rotation?: RotationSchedule;
  /** The version that new ciphertexts use. */
  readonly current: KeyVersion;
  /** Every version, by its number: old ciphertexts name theirs. */
  readonly versions: ReadonlyMap<number, KeyVersion>;
}

export interface RotationSchedule {
  readonly periodInDays: number;
  readonly nextAt: Date;
}

/** One generation of a KMS key's material: two AES-256 objects on the token. */
export interface KeyVersion {
  /** 1 for the first. */
  readonly number: number;
  /** CKA_ID of the object that encrypts and decrypts, 16 bytes in hex. */
  readonly encryptObject: string;
  /** CKA_ID of the object that wraps and unwraps, 16 bytes in hex. */
  readonly wrapObject: string;
  /** Names the key material to clients: 64 hex digits. */
  readonly materialId: string;
  /** The rotation that made it; absent for a key's first version. */
  readonly rotation?: Rotation;
}

export interface Rotation {
  readonly cause: RotationCause;
  readonly at: Date;
}

export interface Alias {
  readonly name: AliasName;
  readonly arn: AliasArn;
  readonly keyId: KeyId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A word on a key, and what it says. */
export interface Tag {
  readonly name: string;
  readonly value: string;
}
