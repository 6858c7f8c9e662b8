import * as tags from '../../../kms/tags';
import { tagKeys } from '../access-schema';
import { operation } from '../operation';
import { keyId, structure } from '../schema';

export const untagResource = operation({
  name: 'UntagResource',
  schema: structure({ KeyId: keyId, TagKeys: tagKeys }, {}),
  run: (kms, call, request) => tags.untagKey(kms, call, { keyId: request.KeyId, names: request.TagKeys }),
});
