import * as keys from '../../../kms/keys';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { limitOfKeys, marker, structure } from '../schema';

export const listKeys = operation({
  name: 'ListKeys',
  schema: structure({}, { Limit: limitOfKeys, Marker: marker }),
  async run(kms, call, request) {
    const page = await keys.listKeys(kms, call, pageRequest(request, 100));
    return { Keys: page.items.map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })), ...pageAnswer(page) };
  },
});
