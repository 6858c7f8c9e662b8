import * as reEncryption from '../../../kms/re-encrypt';
import { encodeBlob } from '../base64';
import { encryptionContextOf } from '../crypto-request';
import { operation } from '../operation';
import {
  ciphertextBlob,
  dryRun,
  dryRunModifiers,
  encryptionAlgorithm,
  encryptionContext,
  grantTokens,
  keyId,
  structure,
} from '../schema';
import { missing } from '../wording';

export const reEncrypt = operation({
  name: 'ReEncrypt',
  schema: structure(
    { DestinationKeyId: keyId },
    {
      // Not required, because of a dry run that ignores it.
      CiphertextBlob: ciphertextBlob,
      SourceEncryptionContext: encryptionContext,
      SourceKeyId: keyId,
      DestinationEncryptionContext: encryptionContext,
      SourceEncryptionAlgorithm: encryptionAlgorithm,
      DestinationEncryptionAlgorithm: encryptionAlgorithm,
      GrantTokens: grantTokens,
      DryRun: dryRun,
      DryRunModifiers: dryRunModifiers,
    },
  ),
  async run(kms, call, request) {
    const { SourceKeyId: sourceKeyId, DestinationKeyId: destinationKeyId } = request;
    const { SourceEncryptionAlgorithm: from, DestinationEncryptionAlgorithm: to } = request;
    const opened = encryptionContextOf(request.SourceEncryptionContext);
    const bound = encryptionContextOf(request.DestinationEncryptionContext);
    if (request.DryRun && request.DryRunModifiers?.includes('IGNORE_CIPHERTEXT')) {
      if (sourceKeyId === undefined) throw missing('SourceKeyId');
      return reEncryption.dryRunWithoutCiphertext(kms, call, {
        source: { keyId: sourceKeyId, authenticated: opened },
        destination: { keyId: destinationKeyId, authenticated: bound },
      });
    }
    if (!request.CiphertextBlob) throw missing('CiphertextBlob');
    const { source, destination, ciphertext } = await reEncryption.reEncrypt(kms, call, {
      source: {
        ciphertext: request.CiphertextBlob,
        ...(sourceKeyId !== undefined && { keyId: sourceKeyId }),
        authenticated: opened,
        ...(from !== undefined && { algorithm: from }),
      },
      destinationKeyId,
      authenticated: bound,
      ...(to !== undefined && { algorithm: to }),
      dryRun: request.DryRun ?? false,
    });
    return {
      CiphertextBlob: encodeBlob(ciphertext),
      SourceKeyId: source.key.arn,
      KeyId: destination.key.arn,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: source.version.materialId,
      DestinationKeyMaterialId: destination.version.materialId,
    };
  },
});
