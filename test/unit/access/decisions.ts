/** Decisions in short form: statements as changes to usual ones, requests as changes to a usual one. */
import type { AccessGrant } from '../../../src/access/access-grant';
import { type AccessRequest, type CallerIdentity, conditionValues } from '../../../src/access/access-request';
import { evaluate, type Policies, type RefusalReason } from '../../../src/access/evaluate';
import { parseIdentityPolicy, parsePolicy } from '../../../src/access/parse-policy';
import { ACCOUNT, identityPolicyOf, KEY_ARN, policyOf, ROOT } from './policies';

export const userArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:user/${name}`;
export const ALICE = userArn('alice');
export const BOB = userArn('bob');
export const OTHER_KEY = KEY_ARN.replace('1234', '5678');
export const OTHER_ACCOUNT = '444455556666';
export const OTHER_ROOT = `arn:aws:iam::${OTHER_ACCOUNT}:root`;

export const alice: CallerIdentity = { arn: ALICE, account: ACCOUNT, kind: 'user', name: 'alice' };
export const bob: CallerIdentity = { arn: BOB, account: ACCOUNT, kind: 'user', name: 'bob' };
export const root: CallerIdentity = { arn: ROOT, account: ACCOUNT, kind: 'root', name: 'root' };

type Values = Record<string, string | string[]>;

/** Statements: of the key policy, which let the account do everything if not told otherwise, and of the caller's. */
export interface ShortPolicies {
  readonly key?: readonly object[];
  readonly identity?: readonly object[];
  readonly grants?: readonly AccessGrant[];
  readonly version?: '2008-10-17' | '2012-10-17';
}

export type ShortRequest = Partial<Omit<AccessRequest, 'conditions'>> & { readonly conditions?: Values };

export type Outcome = 'allowed' | RefusalReason;

export function policiesOf({ key, identity, grants, version }: ShortPolicies): Policies {
  const dated = (text: string) => (version ? text.replace('2012-10-17', version) : text);
  return {
    identity: identity ? [parseIdentityPolicy(dated(identityPolicyOf(...identity)))] : [],
    ...(key && { key: parsePolicy(dated(policyOf(...key))) }),
    ...(grants && { grants }),
  };
}

/** Alice asks to encrypt with the key. */
export const requestOf = ({ conditions = {}, ...changes }: ShortRequest): AccessRequest => ({
  caller: alice,
  action: 'kms:Encrypt',
  resource: KEY_ARN,
  ...changes,
  conditions: conditionValues(Object.entries(conditions)),
});

export function outcomeOf(policies: ShortPolicies, request: ShortRequest = {}): Outcome {
  const decision = evaluate(requestOf(request), policiesOf(policies));
  return decision.allowed ? 'allowed' : decision.reason;
}

export type Row = [what: string, policies: ShortPolicies, request: ShortRequest, outcome: Outcome];

/** A test for each row of a table of decisions. */
export const decisions = (title: string, rows: Row[]): void =>
  describe(title, () => {
    it.each(rows)('%s', (_what, policies, request, outcome) => {
      expect(outcomeOf(policies, request)).toBe(outcome);
    });
  });

/** Statements of a key policy, by what they change: whom they are about. */
export const only = (...ids: string[]) => ({ Principal: { AWS: ids } });
export const allBut = (...ids: string[]) => ({ Principal: undefined, NotPrincipal: { AWS: ids } });
export const deny = { Effect: 'Deny' };
/** The key policy that lets identity policies decide. */
export const delegates = [{}];
