import * as data from '../../../kms/data';
import { encodeSecret } from '../base64';
import { cryptoMembers, cryptoOptions } from '../crypto-request';
import { operation } from '../operation';
import { ciphertextBlob, dryRunModifiers, encryptionAlgorithm, keyId, recipient, structure } from '../schema';
import { missing } from '../wording';

export const decrypt = operation({
  name: 'Decrypt',
  note: 'Opens wrapped private keys, too',
  schema: structure(
    {},
    {
      // Not required, because of a dry run that ignores it.
      CiphertextBlob: ciphertextBlob,
      KeyId: keyId,
      ...cryptoMembers,
      DryRunModifiers: dryRunModifiers,
      EncryptionAlgorithm: encryptionAlgorithm,
      Recipient: recipient,
    },
  ),
  async run(kms, call, request) {
    if (request.DryRun && request.DryRunModifiers?.includes('IGNORE_CIPHERTEXT')) {
      if (request.KeyId === undefined) throw missing('KeyId');
      return data.dryRunWithoutCiphertext(kms, call, { keyId: request.KeyId, ...cryptoOptions(request) });
    }
    if (!request.CiphertextBlob) throw missing('CiphertextBlob');
    const { key, version, plaintext } = await data.decrypt(kms, call, {
      ciphertext: request.CiphertextBlob,
      ...(request.KeyId !== undefined && { keyId: request.KeyId }),
      ...(request.EncryptionAlgorithm !== undefined && { algorithm: request.EncryptionAlgorithm }),
      ...cryptoOptions(request),
    });
    return {
      KeyId: key.arn,
      Plaintext: encodeSecret(plaintext),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: version.materialId,
    };
  },
});
