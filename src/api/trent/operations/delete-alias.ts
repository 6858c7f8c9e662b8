import * as aliases from '../../../kms/aliases';
import { operation } from '../operation';
import { aliasName, structure } from '../schema';

export const deleteAlias = operation({
  name: 'DeleteAlias',
  schema: structure({ AliasName: aliasName }, {}),
  run: (kms, call, request) => aliases.deleteAlias(kms, call, { aliasName: request.AliasName }),
});
