/** A request as access is decided on: who asks to do what, with what, under which circumstances. */
import type { GrantedRequest } from './access-grant';

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

export interface AccessRequest extends GrantedRequest {
  readonly caller: CallerIdentity;
  /** An ARN; `*` where the action is about none. */
  readonly resource: string;
  /** What the caller alone says (`aws:PrincipalArn` and its like) need not be here. */
  readonly conditions: ConditionValues;
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

/** No caller is a service of AWS's, nor asks through one. */
const NEVER: readonly string[] = ['false'];

/** A request's values of a key, in lower case; undefined or empty if it has none. */
export function valuesOf({ caller, conditions }: AccessRequest, key: string): readonly string[] | undefined {
  switch (key) {
    case 'aws:principalarn':
      return [caller.arn];
    case 'aws:principalaccount':
    case 'kms:calleraccount':
      return [caller.account];
    case 'aws:principaltype':
      return [caller.kind === 'root' ? 'Account' : 'User'];
    case 'aws:username':
      return caller.kind === 'user' ? [caller.name] : undefined;
    case 'aws:userid':
      return caller.kind === 'root' ? [caller.account] : conditions.get(key);
    case 'aws:principalisawsservice':
    case 'aws:viaawsservice':
      return NEVER;
    default:
      return conditions.get(key);
  }
}
