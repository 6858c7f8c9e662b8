import * as aliases from '../../../kms/aliases';
import { operation } from '../operation';
import { aliasName, keyId, structure } from '../schema';

export const createAlias = operation({
  name: 'CreateAlias',
  schema: structure({ AliasName: aliasName, TargetKeyId: keyId }, {}),
  run: (kms, call, request) =>
    aliases.createAlias(kms, call, { aliasName: request.AliasName, targetKeyId: request.TargetKeyId }),
});
