import * as dataKeyPairs from '../../../kms/data-key-pairs';
import { encodeBlob } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { operation } from '../operation';
import { keyId, keyPairSpec, structure } from '../schema';

export const generateDataKeyPairWithoutPlaintext = operation({
  name: 'GenerateDataKeyPairWithoutPlaintext',
  note: 'The same specs',
  schema: structure({ KeyId: keyId, KeyPairSpec: keyPairSpec }, cryptoMembers),
  async run(kms, call, request) {
    const pair = await dataKeyPairs.generateDataKeyPairWithoutPlaintext(kms, call, {
      keyId: request.KeyId,
      spec: request.KeyPairSpec,
      ...cryptoOptions(request),
    });
    return {
      KeyId: pair.key.arn,
      KeyPairSpec: pair.spec,
      PrivateKeyCiphertextBlob: encodeBlob(pair.privateKeyCiphertext),
      PublicKey: encodeBlob(pair.publicKey),
      KeyMaterialId: pair.version.materialId,
    };
  },
});
