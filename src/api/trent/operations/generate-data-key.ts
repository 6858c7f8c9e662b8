import * as dataKeys from '../../../kms/data-keys';
import { encodeBlob, encodeSecret } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { dataKeyBytes } from '../data-key-size';
import { operation } from '../operation';
import { dataKeySpec, keyId, numberOfBytes, recipient, structure } from '../schema';

export const generateDataKey = operation({
  name: 'GenerateDataKey',
  schema: structure(
    { KeyId: keyId },
    { KeySpec: dataKeySpec, NumberOfBytes: numberOfBytes, ...cryptoMembers, Recipient: recipient },
  ),
  async run(kms, call, request) {
    const { key, version, ciphertext, plaintext } = await dataKeys.generateDataKey(kms, call, {
      keyId: request.KeyId,
      bytes: dataKeyBytes(request),
      ...cryptoOptions(request),
    });
    return {
      KeyId: key.arn,
      Plaintext: encodeSecret(plaintext),
      CiphertextBlob: encodeBlob(ciphertext),
      KeyMaterialId: version.materialId,
    };
  },
});
