import * as tags from '../../../kms/tags';
import { tags as tagList } from '../access-schema';
import { operation } from '../operation';
import { keyId, structure } from '../schema';
import { tagOf } from '../tag';

export const tagResource = operation({
  name: 'TagResource',
  schema: structure({ KeyId: keyId, Tags: tagList }, {}),
  run: (kms, call, request) =>
    tags.tagKey(kms, call, { keyId: request.KeyId, tags: request.Tags.map(tagOf) }),
});
