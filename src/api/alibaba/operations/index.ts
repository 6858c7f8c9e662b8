import { markdownTable } from '../../support-table';
import type { Operation } from '../operation';
import { advanceDecrypt, decrypt } from './decrypt';
import { advanceEncrypt, encrypt } from './encrypt';
import { advanceGenerateDataKey, generateDataKey } from './generate-data-key';
import {
  advanceGenerateDataKeyPair,
  advanceGenerateDataKeyPairWithoutPlaintext,
  generateDataKeyPair,
  generateDataKeyPairWithoutPlaintext,
} from './generate-data-key-pair';
import { generateRandom } from './generate-random';

/** The operations that p11kms has, by what x-kms-apiname says. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [
    advanceDecrypt,
    advanceEncrypt,
    advanceGenerateDataKey,
    advanceGenerateDataKeyPair,
    advanceGenerateDataKeyPairWithoutPlaintext,
    decrypt,
    encrypt,
    generateDataKey,
    generateDataKeyPair,
    generateDataKeyPairWithoutPlaintext,
    generateRandom,
  ].map((operation) => [operation.name, operation]),
);

/** What Alibaba documents, or its SDKs send, and p11kms does not have; and why. */
export const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['GetPublicKey', 'there are no asymmetric keys yet'],
  ['GetSecretValue', 'secrets are not what p11kms keeps'],
  ['Hash', 'it needs no key: the client can do that'],
  ['Hmac', 'there are no HMAC keys yet'],
  ['KmsDecrypt', 'Decrypt and AdvanceDecrypt have taken its place'],
  ['KmsEncrypt', 'Encrypt and AdvanceEncrypt have taken its place'],
  ['Sign', 'there are no asymmetric keys yet'],
  ['Verify', 'there are no asymmetric keys yet'],
]);

/** Every operation of the API as a Markdown table, for the README. */
export const supportTable = (): string => markdownTable(OPERATIONS.values(), UNSUPPORTED);
