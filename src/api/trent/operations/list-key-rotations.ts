import type { Key, KeyVersion } from '../../../kms/key';
import * as rotation from '../../../kms/rotation';
import { seconds } from '../answers';
import { operation } from '../operation';
import { pageAnswer, pageRequest } from '../paging';
import { includeKeyMaterial, keyId, limitOfKeys, marker, structure } from '../schema';

export const listKeyRotations = operation({
  name: 'ListKeyRotations',
  schema: structure(
    { KeyId: keyId },
    { IncludeKeyMaterial: includeKeyMaterial, Limit: limitOfKeys, Marker: marker },
  ),
  async run(kms, call, request) {
    const page = await rotation.listKeyRotations(kms, call, {
      keyId: request.KeyId,
      all: request.IncludeKeyMaterial === 'ALL_KEY_MATERIAL',
      ...pageRequest(request, 100),
    });
    return { Rotations: page.items.map((version) => entry(page.key, version)), ...pageAnswer(page) };
  },
});

/** The API knows no rotation of a key whose encryptions were used up: it comes by itself, too. */
const ROTATION_TYPES = { automatic: 'AUTOMATIC', exhausted: 'AUTOMATIC', on_demand: 'ON_DEMAND' } as const;

const entry = (key: Key, version: KeyVersion) => ({
  KeyId: key.id,
  KeyMaterialId: version.materialId,
  KeyMaterialState: version === key.current ? 'CURRENT' : 'NON_CURRENT',
  ...(version.rotation && {
    RotationDate: seconds(version.rotation.at),
    RotationType: ROTATION_TYPES[version.rotation.cause],
  }),
});
