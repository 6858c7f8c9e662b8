/** What a key's state allows: AWS's table "Key states of AWS KMS keys". */
import { KmsError } from '../errors';
import type { Key } from './key';

/**
 * For everything that changes a key or adds to it.
 *
 * @throws KmsError INVALID_STATE
 */
export function assertNotPendingDeletion(key: Key): void {
  if (key.state === 'pending-deletion') throw pendingDeletion(key);
}

export const pendingDeletion = ({ arn }: Key): KmsError =>
  new KmsError('INVALID_STATE', `${arn} is pending deletion.`);

/**
 * For everything that uses a key, or has it used.
 *
 * @throws KmsError DISABLED, INVALID_STATE
 */
export function assertEnabled(key: Key): void {
  assertNotPendingDeletion(key);
  if (key.state === 'disabled') throw new KmsError('DISABLED', `${key.arn} is disabled.`);
}
