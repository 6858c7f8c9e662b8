/** Policy documents: what IAM's JSON policy grammar means, in a policy of a resource and in one of an identity. */
import type { WrittenOperator } from './condition-operators';

/** A policy of a resource: it says whom it is about. */
export interface PolicyDocument extends Policy {
  readonly statements: readonly Statement[];
}

/** A policy of an identity: it is about who has it. */
export interface IdentityPolicy extends Policy {
  readonly statements: readonly IdentityStatement[];
}

interface Policy {
  readonly version: PolicyVersion;
  readonly id?: string;
}

/** With the older one, `${…}` in a value is no variable. */
export type PolicyVersion = '2008-10-17' | '2012-10-17';

export type Effect = 'Allow' | 'Deny';

/** What the statements of both have. */
export interface CommonStatement {
  readonly sid?: string;
  readonly effect: Effect;
  /** Patterns, whose letters match in either case; without them the statement has no effect. */
  readonly actions?: Selection<string>;
  /** Patterns; without them the statement has no effect. */
  readonly resources?: Selection<string>;
  /** All must hold. */
  readonly conditions: readonly Condition[];
}

export interface Statement extends CommonStatement {
  readonly principals: Selection<Principal>;
}

export interface IdentityStatement extends CommonStatement {
  readonly actions: Selection<string>;
  readonly resources: Selection<string>;
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
