import * as data from '../../../kms/data';
import type { VersionChoice } from '../../../kms/encrypting-version';
import type { Call, Kms } from '../../../kms/kms';
import type { Message } from '../messages';
import { operation } from '../operation';
import { ALGORITHM, assertCipher, assertNoIv, authenticatedBy, keyIdOf, plaintextOf } from '../parameters';

export const encrypt = operation({
  name: 'Encrypt',
  note: "Under the key's initial version; `Iv` is the service's to choose",
  async run(kms, call, request) {
    const { answer } = await encryptUnder(kms, call, request, 'initial');
    return answer;
  },
});

export const advanceEncrypt = operation({
  name: 'AdvanceEncrypt',
  note: "Under the key's newest version; `Iv` is the service's to choose",
  async run(kms, call, request) {
    const { answer, version } = await encryptUnder(kms, call, request, 'current');
    return { ...answer, KeyVersionId: version.materialId };
  },
});

async function encryptUnder(kms: Kms, call: Call, request: Message<'EncryptRequest'>, under: VersionChoice) {
  assertCipher(request);
  assertNoIv(request);
  const { key, version, iv, ciphertext } = await data.encrypt(kms, call, {
    keyId: keyIdOf(request),
    plaintext: plaintextOf(request),
    authenticated: authenticatedBy(request),
    under,
  });
  const answer = {
    KeyId: key.id,
    CiphertextBlob: ciphertext,
    Iv: iv,
    Algorithm: ALGORITHM,
    PaddingMode: '',
  };
  return { answer, version };
}
