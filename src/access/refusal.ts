/** What is said of a refusal, in AWS's words. */
import type { AccessRequest } from './access-request';
import type { RefusalReason } from './evaluate';

const BECAUSE: Readonly<Record<RefusalReason, (action: string) => string>> = {
  'explicit-deny-identity': () => 'with an explicit deny in an identity-based policy',
  'explicit-deny-resource': () => 'with an explicit deny in a resource-based policy',
  'no-identity-allow': (action) => `because no identity-based policy allows the ${action} action`,
  'no-resource-allow': (action) => `because no resource-based policy allows the ${action} action`,
};

/** @param resourceShown where the client must not learn the resource's ARN: what it named */
export const refusalMessage = (
  { caller, action, resource }: Pick<AccessRequest, 'caller' | 'action' | 'resource'>,
  reason: RefusalReason,
  resourceShown: string = resource,
): string =>
  `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resourceShown} ${BECAUSE[reason](action)}`;
