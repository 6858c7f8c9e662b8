import type { GrantConstraints } from './grant-constraints';
import type { KeyArn } from './key';

/** What a grant can allow with a symmetric key. */
export const SYMMETRIC_OPERATIONS = [
  'CreateGrant',
  'Decrypt',
  'DescribeKey',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'RetireGrant',
] as const;

/** What a grant can allow with keys of other kinds. */
export const OTHER_OPERATIONS = [
  'Decapsulate',
  'DeriveSharedSecret',
  'Encapsulate',
  'GenerateMac',
  'GetPublicKey',
  'Sign',
  'Verify',
  'VerifyMac',
] as const;

export type SymmetricOperation = (typeof SYMMETRIC_OPERATIONS)[number];
export type GrantOperation = SymmetricOperation | (typeof OTHER_OPERATIONS)[number];

/** A permission to use one key, for one principal. */
export interface Grant {
  /** 64 hex digits. */
  readonly id: string;
  readonly keyArn: KeyArn;
  readonly name?: string;
  readonly granteePrincipal: string;
  readonly retiringPrincipal?: string;
  /** Sorted, each once. */
  readonly operations: readonly GrantOperation[];
  readonly constraints?: GrantConstraints;
  readonly createdAt: Date;
}
