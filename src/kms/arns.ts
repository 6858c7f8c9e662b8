import type { AliasArn, AliasName, KeyArn, KeyId } from './key';

/** Builds the ARNs of one account in one region. */
export interface Arns {
  /** The last field of the prefix. */
  readonly account: string;
  /** Everything before `:key/` and `:alias/`. */
  readonly prefix: string;
  /** The account as a principal: everybody in it. */
  readonly accountRoot: string;
  /** A principal of the account, by its name. */
  user(name: string): string;
  key(id: KeyId): KeyArn;
  alias(name: AliasName): AliasArn;
}

/** @param prefix such as `arn:aws:kms:us-east-1:111122223333`, or QKMS's `arn:verenc:111122223333` */
export function createArns(prefix: string): Arns {
  const account = prefix.slice(prefix.lastIndexOf(':') + 1);
  const partition = prefix.split(':', 2)[1];
  return {
    prefix,
    account,
    accountRoot: `arn:${partition}:iam::${account}:root`,
    user: (name) => `arn:${partition}:iam::${account}:user/${name}`,
    key: (id) => `${prefix}:key/${id}` as KeyArn,
    alias: (name) => `${prefix}:${name}` as AliasArn,
  };
}
