/**
 * The service key doubles as the canary: while it can be found and decrypts what it once encrypted, the token
 * is the one that the store belongs to and this process's view of it is sound.
 */
import type { StartMessage } from '../jobs';
import type { GcmIvSource } from '../report';
import { findById } from './objects';
import { gcmDecrypt, gcmEncrypt, generateAesKey, type SealedBytes, type Session } from './session';
import { tokenAesKey } from './templates';
import { StartFailed } from './worker-errors';

export interface Canary {
  readonly serviceKeyId: string;
  readonly song: SealedBytes;
}

const PLAINTEXT = Buffer.from('p11kms is at home');
const AAD = Buffer.from('p11kms canary');

type ServiceKey = NonNullable<StartMessage['serviceKey']>;

/**
 * Finds the service key, or makes it where the store is new, and teaches it its song.
 *
 * @throws StartFailed `service-key-missing` where token and store do not belong together
 */
export function hatchCanary(session: Session, gcmIv: GcmIvSource, serviceKey: ServiceKey): Canary {
  const found = findById(session, serviceKey.id);
  if (found.length === 0 && serviceKey.mayCreate)
    found.push(generateAesKey(session, tokenAesKey('encrypt', serviceKey)));
  const [key] = found;
  if (!key || found.length > 1) {
    throw new StartFailed(
      'service-key-missing',
      `the token does not belong to this store: it has ${found.length} objects with the id ${serviceKey.id} of the ` +
        "store's service key, where one is needed. Check P11KMS_TOKEN_LABEL and P11KMS_DATA_DIR, or restore the token",
    );
  }
  return { serviceKeyId: serviceKey.id, song: gcmEncrypt(session, gcmIv, key, PLAINTEXT, AAD) };
}

/** Whether the service key is visible and still opens its song. Never throws. */
export function canarySings(session: Session, canary: Canary): boolean {
  try {
    const [key, other] = findById(session, canary.serviceKeyId);
    if (!key || other) return false;
    return gcmDecrypt(session, key, canary.song.iv, canary.song.sealed, AAD).equals(PLAINTEXT);
  } catch {
    return false;
  }
}
