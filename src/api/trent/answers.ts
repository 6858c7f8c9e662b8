import type { Key, KeyState } from '../../kms/key';
import type { Kms } from '../../kms/kms';

/** Seconds since 1970, with the milliseconds behind the point. */
export const seconds = (date: Date): number => date.getTime() / 1000;

/** AWS's names of a key's states. */
export const KEY_STATES = {
  enabled: 'Enabled',
  disabled: 'Disabled',
  'pending-deletion': 'PendingDeletion',
} as const satisfies Record<KeyState, string>;

/** A KMS key as CreateKey and DescribeKey show it. */
export function keyMetadata(kms: Kms, key: Key) {
  return {
    AWSAccountId: kms.arns.account,
    KeyId: key.id,
    Arn: key.arn,
    CreationDate: seconds(key.createdAt),
    Enabled: key.state === 'enabled',
    Description: key.description,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: KEY_STATES[key.state],
    ...(key.deletionAt && { DeletionDate: seconds(key.deletionAt) }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    MultiRegion: false,
    CurrentKeyMaterialId: key.current.materialId,
  };
}
