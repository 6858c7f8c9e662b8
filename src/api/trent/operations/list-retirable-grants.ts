import * as grants from '../../../kms/grants';
import { limitOfGrants, principal, servicePrincipal } from '../access-schema';
import { grantEntry } from '../grant-entry';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { marker, structure } from '../schema';
import { missing } from '../wording';

export const listRetirableGrants = operation({
  name: 'ListRetirableGrants',
  schema: structure(
    {},
    {
      Limit: limitOfGrants,
      Marker: marker,
      // Not required, because of grants to services; p11kms has no such grants.
      RetiringPrincipal: principal,
      RetiringServicePrincipal: servicePrincipal,
    },
  ),
  async run(kms, call, request) {
    if (request.RetiringPrincipal === undefined) throw missing('RetiringPrincipal');
    const page = await grants.listRetirableGrants(kms, call, {
      retiringPrincipal: request.RetiringPrincipal,
      ...pageRequest(request, 50),
    });
    return { Grants: page.items.map((grant) => grantEntry(kms, grant)), ...pageAnswer(page) };
  },
});
