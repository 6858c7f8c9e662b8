import * as aliases from '../../../kms/aliases';
import { operation } from '../operation';
import { aliasName, keyId, structure } from '../schema';

export const updateAlias = operation({
  name: 'UpdateAlias',
  schema: structure({ AliasName: aliasName, TargetKeyId: keyId }, {}),
  run: (kms, call, request) =>
    aliases.updateAlias(kms, call, { aliasName: request.AliasName, targetKeyId: request.TargetKeyId }),
});
