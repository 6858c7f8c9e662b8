import * as grants from '../../../kms/grants';
import { grantId, limitOfGrants, principal, servicePrincipal } from '../access-schema';
import { grantEntry } from '../grant-entry';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { keyId, marker, structure } from '../schema';

export const listGrants = operation({
  name: 'ListGrants',
  schema: structure(
    { KeyId: keyId },
    {
      Limit: limitOfGrants,
      Marker: marker,
      GrantId: grantId,
      GranteePrincipal: principal,
      GranteeServicePrincipal: servicePrincipal,
    },
  ),
  async run(kms, call, request) {
    const page = await grants.listGrants(kms, call, {
      keyId: request.KeyId,
      ...(request.GrantId !== undefined && { grantId: request.GrantId }),
      ...(request.GranteePrincipal !== undefined && { granteePrincipal: request.GranteePrincipal }),
      ...pageRequest(request, 50),
    });
    return { Grants: page.items.map((grant) => grantEntry(kms, grant)), ...pageAnswer(page) };
  },
});
