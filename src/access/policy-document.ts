/** Policy documents: what IAM's JSON policy grammar means in a policy of a resource. */
import type { WrittenOperator } from './condition-operators';

export interface PolicyDocument {
  /** With the older one, `${…}` in a value is no variable. */
  readonly version: '2008-10-17' | '2012-10-17';
  readonly id?: string;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  readonly principals: Selection<Principal>;
  /** Patterns, whose letters match in either case; without them the statement has no effect. */
  readonly actions?: Selection<string>;
  /** Patterns; without them the statement has no effect. */
  readonly resources?: Selection<string>;
  /** All must hold. */
  readonly conditions: readonly Condition[];
}

/** Those that are listed, or all but those (`NotAction` and its like). */
export interface Selection<T> {
  readonly except: boolean;
  readonly listed: readonly T[];
}

/** `AWS`: `*` for everybody, the number of an account, or a principal's ARN. */
export interface Principal {
  readonly type: PrincipalType;
  readonly id: string;
}

export type PrincipalType = 'AWS' | 'Service' | 'Federated' | 'CanonicalUser';

/** One must match of the values. */
export interface Condition extends WrittenOperator {
  readonly key: string;
  readonly values: readonly string[];
}
