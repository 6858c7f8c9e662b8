import * as data from '../../../kms/data';
import { encodeBlob } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { operation } from '../operation';
import { encryptionAlgorithm, keyId, plaintext, structure } from '../schema';

export const encrypt = operation({
  name: 'Encrypt',
  schema: structure(
    { KeyId: keyId, Plaintext: plaintext },
    { ...cryptoMembers, EncryptionAlgorithm: encryptionAlgorithm },
  ),
  async run(kms, call, request) {
    try {
      const { key, ciphertext } = await data.encrypt(kms, call, {
        keyId: request.KeyId,
        plaintext: request.Plaintext,
        ...(request.EncryptionAlgorithm !== undefined && { algorithm: request.EncryptionAlgorithm }),
        ...cryptoOptions(request),
      });
      return {
        KeyId: key.arn,
        CiphertextBlob: encodeBlob(ciphertext),
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      };
    } finally {
      request.Plaintext.fill(0);
    }
  },
});
