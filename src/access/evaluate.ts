/** Whether a request is allowed: what its caller's policies, the key's policy and the key's grants come to. */
import { type AccessGrant, grantAllows } from './access-grant';
import type { AccessRequest } from './access-request';
import type { IdentityPolicy, PolicyDocument } from './policy-document';
import { type Reach, reachOf, reachOfStatement } from './principal-match';
import { isAbout } from './statement-match';

export interface Policies {
  /** The caller's. The root principal's is implied: it may do everything in the account. */
  readonly identity: readonly IdentityPolicy[];
  /**
   * The key policy, for requests about a key; absent where only identity policies count (ListKeys, CreateKey, an
   * alias's half of CreateAlias).
   */
  readonly key?: PolicyDocument;
  /** Grants on the key, of whatever grantee. */
  readonly grants?: readonly AccessGrant[];
}

export type RefusalReason =
  | 'explicit-deny-identity'
  | 'explicit-deny-resource'
  | 'no-identity-allow'
  | 'no-resource-allow';

export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: RefusalReason };

const ALLOWED: Decision = { allowed: true };
const refused = (reason: RefusalReason): Decision => ({ allowed: false, reason });

/**
 * Decides, as IAM does for KMS keys. A Deny anywhere wins. Then the key policy or a grant must allow: by itself where
 * it names the caller, and together with the caller's identity policies where it names the account.
 */
export function evaluate(request: AccessRequest, { identity, key, grants = [] }: Policies): Decision {
  const own = verdictOfIdentity(request, identity);
  if (own === 'deny') return refused('explicit-deny-identity');
  if (!key) return own === 'allow' ? ALLOWED : refused('no-identity-allow');
  const reach = reachOfKeyPolicy(request, key);
  if (reach === 'deny') return refused('explicit-deny-resource');
  if (reach === 'caller') return ALLOWED;
  const granted = reachOfGrants(request, grants);
  if (granted === 'caller') return ALLOWED;
  // Whom no policy allows it at all does not learn that there is a key.
  if (!reach && !granted) return refused(own === 'allow' ? 'no-resource-allow' : 'no-identity-allow');
  return own === 'allow' ? ALLOWED : refused('no-identity-allow');
}

function verdictOfIdentity(
  request: AccessRequest,
  policies: readonly IdentityPolicy[],
): 'allow' | 'deny' | undefined {
  let isAllowed = request.caller.kind === 'root';
  for (const { version, statements } of policies) {
    for (const statement of statements) {
      if (statement.effect === 'Allow' && isAllowed) continue;
      if (!isAbout(statement, version, request)) continue;
      if (statement.effect === 'Deny') return 'deny';
      isAllowed = true;
    }
  }
  return isAllowed ? 'allow' : undefined;
}

function reachOfKeyPolicy(
  request: AccessRequest,
  { version, statements }: PolicyDocument,
): Reach | 'deny' | undefined {
  let reach: Reach | undefined;
  for (const statement of statements) {
    if (statement.effect === 'Allow' && reach === 'caller') continue;
    const found = reachOfStatement(statement, request.caller);
    if (!found || !isAbout(statement, version, request)) continue;
    if (statement.effect === 'Deny') return 'deny';
    reach = found;
  }
  return reach;
}

function reachOfGrants(request: AccessRequest, grants: readonly AccessGrant[]): Reach | undefined {
  let reach: Reach | undefined;
  for (const grant of grants) {
    const found = reachOf(grant.granteePrincipal, request.caller);
    if (!found || !grantAllows(grant, request)) continue;
    if (found === 'caller') return found;
    reach = found;
  }
  return reach;
}
