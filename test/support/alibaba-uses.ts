import type { Answers, Fields } from './alibaba-messages';

const DATA = Buffer.from('what is secret');

/**
 * Good requests for every operation that needs a key.
 *
 * @param CiphertextBlob something that the key has encrypted, without Aad
 */
export function usesOfKey(
  KeyId: string,
  CiphertextBlob: Buffer,
): (readonly [name: keyof Answers, fields: Fields])[] {
  const pair = { KeyId, KeyPairSpec: 'EC_P256', KeyFormat: 'PEM' };
  return [
    ['Encrypt', { KeyId, Plaintext: DATA }],
    ['AdvanceEncrypt', { KeyId, Plaintext: DATA }],
    ['Decrypt', { KeyId, CiphertextBlob }],
    ['AdvanceDecrypt', { KeyId, CiphertextBlob }],
    ['GenerateDataKey', { KeyId, NumberOfBytes: 16 }],
    ['AdvanceGenerateDataKey', { KeyId, NumberOfBytes: 16 }],
    ['GenerateDataKeyPair', pair],
    ['AdvanceGenerateDataKeyPair', pair],
    ['GenerateDataKeyPairWithoutPlaintext', pair],
    ['AdvanceGenerateDataKeyPairWithoutPlaintext', pair],
  ];
}
