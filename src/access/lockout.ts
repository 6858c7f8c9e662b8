/** The lockout safety check: whether who puts a key policy could put another in its place. */
import type { AccessRequest } from './access-request';
import { evaluate } from './evaluate';
import type { IdentityPolicy, PolicyDocument } from './policy-document';

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
