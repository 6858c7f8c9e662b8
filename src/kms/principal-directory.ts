/** Who calls: principals by access key and by certificate, from a small memory in front of store and token. */
import type { Token } from '../hsm/token';
import type { Store } from '../store/store';
import type { Arns } from './arns';

// Until src/access has them.
export interface CallerIdentity {
  readonly arn: string;
  readonly account: string;
  readonly kind: 'root' | 'user';
  readonly name: string;
}
export type IdentityPolicy = object;

/** Somebody who may call, with what their own policies say. */
export interface Principal {
  readonly identity: CallerIdentity;
  readonly policies: readonly IdentityPolicy[];
}

export interface FoundSigningKey {
  /** A copy, the caller's to zero. */
  readonly signingKey: Buffer;
  /** Undefined where nobody has the access key, or it has expired: then the signing key fits nothing. */
  readonly identity: Principal | undefined;
}

export interface PrincipalDirectory {
  /**
   * The key that the owner of an access key signs with on a date, YYYYMMDD. A date that is not today's, give or take
   * some minutes, finds the owner and a key that fits nothing.
   *
   * @throws KmsError KEY_UNAVAILABLE, TOKEN_TIMEOUT, THROTTLED, where the token is needed and cannot be had
   */
  findSigningKey(accessKeyId: string, date: string): Promise<FoundSigningKey>;
  /** @param subject of a certificate, as `X509Certificate.subject` has it */
  findByCertificate(subject: string): Promise<Principal | undefined>;
  /** The account's root principal. */
  root(): Principal;
  /** Forgets everything: to be called after every change. */
  forget(): void;
}

export interface PrincipalDirectoryParts {
  readonly store: Store;
  readonly token: Pick<Token, 'run'>;
  readonly arns: Arns;
  readonly storeId: string;
  /** CKA_ID, hex. */
  readonly serviceKey: string;
}

export async function createPrincipalDirectory(
  _parts: PrincipalDirectoryParts,
  _derive: (secret: Buffer, date: string) => Buffer,
): Promise<PrincipalDirectory> {
  throw new Error('being made');
}
