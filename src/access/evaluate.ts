/** Whether a request is allowed: what its caller's policies, the key's policy and the key's grants come to. */
import type { AccessGrant } from './access-grant';
import type { AccessRequest } from './access-request';
import type { IdentityPolicy, PolicyDocument } from './policy-document';

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

export declare function evaluate(request: AccessRequest, policies: Policies): Decision;
