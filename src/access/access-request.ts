/** A request as access is decided on: who asks to do what, with what, under which circumstances. */
import type { NewGrant } from './access-grant';

/** Who asks. */
export interface CallerIdentity {
  readonly arn: string;
  readonly account: string;
  readonly kind: 'root' | 'user';
  /** A user's, without its path. */
  readonly name: string;
}

/** Values of condition keys; keys in lower case. */
export type ConditionValues = ReadonlyMap<string, readonly string[]>;

export interface AccessRequest {
  readonly caller: CallerIdentity;
  /** Such as `kms:Encrypt`. */
  readonly action: string;
  /** An ARN; `*` where the action is about none. */
  readonly resource: string;
  /** What the caller alone says (`aws:PrincipalArn` and its like) need not be here. */
  readonly conditions: ConditionValues;
  /** For the constraints of grants, which compare it exactly. */
  readonly encryptionContext?: ReadonlyMap<string, string>;
  /** What CreateGrant would make: a grant that allows CreateGrant allows it only for what it covers. */
  readonly newGrant?: NewGrant;
}

/** Condition values of entries, whose keys may come in any case and more than once. */
export function conditionValues(
  entries: Iterable<readonly [key: string, value: string | readonly string[]]>,
): ConditionValues {
  const values = new Map<string, readonly string[]>();
  for (const [name, value] of entries) {
    const key = name.toLowerCase();
    const more = typeof value === 'string' ? [value] : value;
    const some = values.get(key);
    values.set(key, some ? [...some, ...more] : more);
  }
  return values;
}
