import * as tags from '../../../kms/tags';
import { limitOfTags } from '../access-schema';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { keyId, marker, structure } from '../schema';
import { tagMember } from '../tag';

export const listResourceTags = operation({
  name: 'ListResourceTags',
  schema: structure({ KeyId: keyId }, { Limit: limitOfTags, Marker: marker }),
  async run(kms, call, request) {
    const page = await tags.listTags(kms, call, { keyId: request.KeyId, ...pageRequest(request, 50) });
    return { Tags: page.items.map(tagMember), ...pageAnswer(page) };
  },
});
