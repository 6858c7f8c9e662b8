/** Whether principals that a policy or a grant names are the caller. */
import type { CallerIdentity } from './access-request';
import type { Effect, Principal, Selection } from './policy-document';

/** How a caller is meant: by itself, or as one of its account, which lets its identity policies decide. */
export type Reach = 'caller' | 'account';

/** Whom a principal by its id means: the number of an account, or an ARN. */
export function reachOf(id: string, caller: CallerIdentity): Reach | undefined {
  if (id === caller.arn) return 'caller';
  if (!isAccount(id, caller.account)) return undefined;
  return caller.kind === 'root' ? 'caller' : 'account';
}

/** By its number, or by its ARN, whose partition does not matter. Nothing else that is a principal ends so. */
const isAccount = (id: string, account: string): boolean => id === account || id.endsWith(`:${account}:root`);

/** Whether, and how, a statement of a key policy is about a caller. */
export function reachOfStatement(
  { effect, principals }: { readonly effect: Effect; readonly principals: Selection<Principal> },
  caller: CallerIdentity,
): Reach | undefined {
  const { except, listed } = principals;
  const isEverybody = listed.some(({ type, id }) => type === 'AWS' && id === '*');
  const isMeant = (reach: Reach) =>
    listed.some(({ type, id }) => type === 'AWS' && reachOf(id, caller) === reach);
  const byItself = isEverybody || isMeant('caller');
  if (!except) return byItself ? 'caller' : isMeant('account') ? 'account' : undefined;
  return isExempt(effect, { isEverybody, byItself, isMeant }, caller) ? undefined : 'caller';
}

/** To be left out of a Deny, a user must be listed together with its account; of an Allow, either is enough. */
function isExempt(
  effect: Effect,
  listed: { isEverybody: boolean; byItself: boolean; isMeant: (reach: Reach) => boolean },
  { kind }: CallerIdentity,
): boolean {
  const { isEverybody, byItself, isMeant } = listed;
  if (effect === 'Allow') return byItself || isMeant('account');
  return isEverybody || (byItself && (kind === 'root' || isMeant('account')));
}
