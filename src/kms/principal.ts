import type { CallerIdentity } from '../access/access-request';
import type { IdentityPolicy } from '../access/policy-document';

/** Somebody who may call, and what their own policies say. */
export interface Principal {
  readonly identity: CallerIdentity;
  readonly policies: readonly IdentityPolicy[];
}
