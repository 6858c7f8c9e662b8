import * as aliases from '../../../kms/aliases';
import type { Alias } from '../../../kms/key';
import { seconds } from '../answers';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { keyId, limitOfAliases, marker, structure } from '../schema';

export const listAliases = operation({
  name: 'ListAliases',
  schema: structure({}, { KeyId: keyId, Limit: limitOfAliases, Marker: marker }),
  async run(kms, call, request) {
    const page = await aliases.listAliases(kms, call, {
      ...(request.KeyId !== undefined && { keyId: request.KeyId }),
      ...pageRequest(request, 50),
    });
    return { Aliases: page.items.map(entry), ...pageAnswer(page) };
  },
});

const entry = (alias: Alias) => ({
  AliasName: alias.name,
  AliasArn: alias.arn,
  TargetKeyId: alias.keyId,
  CreationDate: seconds(alias.createdAt),
  LastUpdatedDate: seconds(alias.updatedAt),
});
