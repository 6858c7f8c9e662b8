import type { AliasArn, AliasName, KeyArn, KeyId } from './key';

/** Builds the ARNs of one account in one region. */
export interface Arns {
  /** The last field of the prefix. */
  readonly account: string;
  /** Everything before `:key/` and `:alias/`. */
  readonly prefix: string;
  key(id: KeyId): KeyArn;
  alias(name: AliasName): AliasArn;
}

/** @param prefix such as `arn:aws:kms:us-east-1:111122223333`, or QKMS's `arn:verenc:111122223333` */
export function createArns(prefix: string): Arns {
  return {
    prefix,
    account: prefix.slice(prefix.lastIndexOf(':') + 1),
    key: (id) => `${prefix}:key/${id}` as KeyArn,
    alias: (name) => `${prefix}:${name}` as AliasArn,
  };
}
