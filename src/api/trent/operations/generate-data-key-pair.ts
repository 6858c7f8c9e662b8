import * as dataKeyPairs from '../../../kms/data-key-pairs';
import { encodeBlob, encodeSecret } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { operation } from '../operation';
import { keyId, keyPairSpec, recipient, structure } from '../schema';

export const generateDataKeyPair = operation({
  name: 'GenerateDataKeyPair',
  note: 'RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, as far as the token has them',
  schema: structure({ KeyId: keyId, KeyPairSpec: keyPairSpec }, { ...cryptoMembers, Recipient: recipient }),
  async run(kms, call, request) {
    const pair = await dataKeyPairs.generateDataKeyPair(kms, call, {
      keyId: request.KeyId,
      spec: request.KeyPairSpec,
      ...cryptoOptions(request),
    });
    return {
      KeyId: pair.key.arn,
      KeyPairSpec: pair.spec,
      PrivateKeyCiphertextBlob: encodeBlob(pair.privateKeyCiphertext),
      ...(pair.privateKeyPlaintext && { PrivateKeyPlaintext: encodeSecret(pair.privateKeyPlaintext) }),
      PublicKey: encodeBlob(pair.publicKey),
      KeyMaterialId: pair.version.materialId,
    };
  },
});
