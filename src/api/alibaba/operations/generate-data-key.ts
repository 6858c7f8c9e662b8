import * as dataKeys from '../../../kms/data-keys';
import type { VersionChoice } from '../../../kms/encrypting-version';
import type { Call, Kms } from '../../../kms/kms';
import type { Message } from '../messages';
import { operation } from '../operation';
import { ALGORITHM, assertCipher, authenticatedBy, countOf, keyIdOf } from '../parameters';

export const generateDataKey = operation({
  name: 'GenerateDataKey',
  note: "Under the key's initial version; 1 to 1024 bytes",
  async run(kms, call, request) {
    assertCipher(request);
    const { answer } = await generateUnder(kms, call, request, 'initial');
    return answer;
  },
});

export const advanceGenerateDataKey = operation({
  name: 'AdvanceGenerateDataKey',
  note: "Under the key's newest version; 1 to 1024 bytes",
  async run(kms, call, request) {
    const { answer, version } = await generateUnder(kms, call, request, 'current');
    return { ...answer, KeyVersionId: version.materialId };
  },
});

async function generateUnder(
  kms: Kms,
  call: Call,
  request: Message<'AdvanceGenerateDataKeyRequest'>,
  under: VersionChoice,
) {
  const { key, version, iv, plaintext, ciphertext } = await dataKeys.generateDataKey(kms, call, {
    keyId: keyIdOf(request),
    bytes: countOf('NumberOfBytes', request),
    authenticated: authenticatedBy(request),
    under,
  });
  const answer = {
    KeyId: key.id,
    Iv: iv,
    Plaintext: plaintext,
    CiphertextBlob: ciphertext,
    Algorithm: ALGORITHM,
  };
  return { answer, version };
}
