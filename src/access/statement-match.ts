/** Whether a statement is about a request, whoever makes it. */
import type { AccessRequest } from './access-request';
import { conditionHolds } from './conditions';
import type { CommonStatement, Effect, PolicyVersion, Selection } from './policy-document';
import { expandVariables } from './policy-variables';
import { matchesWildcards } from './wildcards';

/** Whether actions, resources and conditions of a statement are the request's. */
export function isAbout(statement: CommonStatement, version: PolicyVersion, request: AccessRequest): boolean {
  const { actions, resources, conditions, effect } = statement;
  return (
    actions !== undefined &&
    resources !== undefined &&
    selectsAction(actions, request.action) &&
    selectsResource(resources, { version, effect }, request) &&
    conditions.every((condition) => conditionHolds(condition, { effect, version }, request))
  );
}

function selectsAction({ except, listed }: Selection<string>, action: string): boolean {
  const wanted = action.toLowerCase();
  return listed.some((pattern) => matchesWildcards(pattern.toLowerCase(), wanted)) !== except;
}

function selectsResource(
  { except, listed }: Selection<string>,
  { version, effect }: { readonly version: PolicyVersion; readonly effect: Effect },
  request: AccessRequest,
): boolean {
  let isListed = false;
  for (const text of listed) {
    const pattern = expandVariables(text, version, request);
    if (!pattern) {
      // What a variable without a value would exclude is not known: that goes against the caller.
      if (except) return effect === 'Deny';
    } else if (matchesWildcards(pattern.text, request.resource, pattern.literals)) {
      isListed = true;
    }
  }
  return isListed !== except;
}
