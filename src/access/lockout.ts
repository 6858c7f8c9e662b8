/** The lockout safety check: whether somebody could put another policy in the place of this one. */
import type { AccessRequest } from './access-request';
import { evaluate } from './evaluate';
import type { IdentityPolicy, PolicyDocument, Principal, Selection, Statement } from './policy-document';
import { parsePrincipalArn } from './principals';
import { matchesWildcards } from './wildcards';

const ACTION = 'kms:PutKeyPolicy';

/**
 * Whether a new key policy allows the caller to put another one, as things are: by itself, or together with the
 * caller's identity policies where it lets them decide. Grants cannot.
 *
 * @param request of the request that puts it; its `resource` is the key's ARN
 */
export const letsCallerPutPolicy = (
  key: PolicyDocument,
  { caller, resource, conditions }: Pick<AccessRequest, 'caller' | 'resource' | 'conditions'>,
  identity: readonly IdentityPolicy[],
): boolean => evaluate({ caller, action: ACTION, resource, conditions }, { identity, key }).allowed;

/**
 * Whether a key policy allows somebody of an account to put another one: a statement allows it, and none denies it to
 * the whole account without a condition. Conditions are taken to hold where they allow.
 */
export function letsAccountPutPolicy(
  { statements }: PolicyDocument,
  { account, keyArn }: { readonly account: string; readonly keyArn: string },
): boolean {
  const about = statements.filter(
    ({ actions, resources }) =>
      selects(actions, (pattern) => matchesWildcards(pattern.toLowerCase(), ACTION.toLowerCase())) &&
      selects(resources, (pattern) => matchesWildcards(pattern, keyArn)),
  );
  return about.some((statement) => allowsSomebody(statement, account)) && !about.some(deniesAll(account));
}

/** An element that is missing selects nothing. */
const selects = <T>(selection: Selection<T> | undefined, isMatch: (item: T) => boolean): boolean =>
  selection !== undefined && selection.listed.some(isMatch) !== selection.except;

function allowsSomebody({ effect, principals: { except, listed } }: Statement, account: string): boolean {
  if (effect !== 'Allow') return false;
  return except ? !listed.some(isAllOf(account)) : listed.some((principal) => isOf(principal, account));
}

const deniesAll =
  (account: string) =>
  ({ effect, conditions, principals: { except, listed } }: Statement): boolean =>
    effect === 'Deny' && conditions.length === 0 && !except && listed.some(isAllOf(account));

/** Whether a principal is everybody in the account. */
const isAllOf =
  (account: string) =>
  ({ type, id }: Principal): boolean => {
    if (type !== 'AWS') return false;
    if (id === '*' || id === account) return true;
    const arn = parsePrincipalArn(id);
    return arn?.kind === 'account' && arn.account === account;
  };

const isOf = (principal: Principal, account: string): boolean =>
  isAllOf(account)(principal) ||
  (principal.type === 'AWS' && parsePrincipalArn(principal.id)?.account === account);
