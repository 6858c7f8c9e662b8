import * as dataKeys from '../../../kms/data-keys';
import { encodeBlob } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { dataKeyBytes } from '../data-key-size';
import { operation } from '../operation';
import { dataKeySpec, keyId, numberOfBytes, structure } from '../schema';

export const generateDataKeyWithoutPlaintext = operation({
  name: 'GenerateDataKeyWithoutPlaintext',
  schema: structure(
    { KeyId: keyId },
    { KeySpec: dataKeySpec, NumberOfBytes: numberOfBytes, ...cryptoMembers },
  ),
  async run(kms, call, request) {
    const { key, version, ciphertext } = await dataKeys.generateDataKeyWithoutPlaintext(kms, call, {
      keyId: request.KeyId,
      bytes: dataKeyBytes(request),
      ...cryptoOptions(request),
    });
    return {
      KeyId: key.arn,
      CiphertextBlob: encodeBlob(ciphertext),
      KeyMaterialId: version.materialId,
    };
  },
});
