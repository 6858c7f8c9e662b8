import * as data from '../../../kms/data';
import type { Call, Kms } from '../../../kms/kms';
import type { Message } from '../messages';
import { operation } from '../operation';
import { ALGORITHM, assertCipher, authenticatedBy, keyIdOf, optionalKeyIdOf, someBytes } from '../parameters';

export const decrypt = operation({
  name: 'Decrypt',
  note: "What the key's initial version encrypted, wrapped private keys, too",
  async run(kms, call, request) {
    const { answer } = await open(kms, call, request, { keyId: keyIdOf(request), under: 'initial' });
    return answer;
  },
});

export const advanceDecrypt = operation({
  name: 'AdvanceDecrypt',
  note: 'What any version encrypted, wrapped private keys, too',
  async run(kms, call, request) {
    const keyId = optionalKeyIdOf(request);
    const { answer, version } = await open(kms, call, request, keyId === undefined ? {} : { keyId });
    return { ...answer, KeyVersionId: version.materialId };
  },
});

/** The blob says which key and version it is of, and holds its IV: what the request says of them must be the same. */
async function open(
  kms: Kms,
  call: Call,
  request: Message<'DecryptRequest'>,
  meant: { readonly keyId?: string; readonly under?: 'initial' },
) {
  assertCipher(request);
  const { key, version, plaintext } = await data.decrypt(kms, call, {
    ciphertext: someBytes('CiphertextBlob', request),
    authenticated: authenticatedBy(request),
    ...(request.Iv.length > 0 && { iv: request.Iv }),
    ...meant,
  });
  const answer = { KeyId: key.id, Plaintext: plaintext, Algorithm: ALGORITHM, PaddingMode: '' };
  return { answer, version };
}
