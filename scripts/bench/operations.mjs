/** What is measured: each operation's requests, the lane that serves it, and what is wanted of it. */

export const INTERFERENCE = 'interference';

/** The connections of the load tool, one level after the other. */
export const LEVELS = [1, 8, 32];

/** A level from which on no worker ever waits for a request: ratios are judged from here. */
export const SATURATED = 8;

/** The same pairs in every request; the direct loop authenticates as many bytes. */
export const CONTEXT = { Application: 'benchmark', Purpose: 'Test' };

/** A data key's length, which is what callers encrypt most. */
export const PLAINTEXT_BYTES = 32;

export const OPERATIONS = [
  {
    name: 'p256',
    title: 'GenerateDataKeyPair P-256',
    target: 'GenerateDataKeyPair',
    lane: 'key-pairs',
    job: 'generateKeyPair',
    spec: 'ECC_NIST_P256',
    slice: 'fast',
    wantedRatio: 0.4,
    request: keyPairRequest('ECC_NIST_P256'),
  },
  {
    name: 'rsa2048',
    title: 'GenerateDataKeyPair RSA-2048',
    target: 'GenerateDataKeyPair',
    lane: 'key-pairs',
    job: 'generateKeyPair',
    spec: 'RSA_2048',
    slice: 'rsa',
    wantedRatio: 0.95,
    request: keyPairRequest('RSA_2048'),
  },
  {
    name: 'encrypt',
    title: 'Encrypt 32 bytes',
    target: 'Encrypt',
    lane: 'token',
    job: 'encrypt',
    slice: 'fast',
    request: ({ keyId, plaintext }) => ({ KeyId: keyId, Plaintext: plaintext, EncryptionContext: CONTEXT }),
  },
  {
    name: 'decrypt',
    title: 'Decrypt 32 bytes',
    target: 'Decrypt',
    lane: 'token',
    job: 'decrypt',
    slice: 'fast',
    request: ({ keyId, ciphertext }) => ({
      KeyId: keyId,
      CiphertextBlob: ciphertext,
      EncryptionContext: CONTEXT,
    }),
  },
];

export const operationNamed = (name) => OPERATIONS.find((operation) => operation.name === name);

/** The request that keeps the key pair workers busy while Decrypt is measured. */
export const backgroundRequest = (spec) => ({ target: 'GenerateDataKeyPair', request: keyPairRequest(spec) });

function keyPairRequest(spec) {
  return ({ keyId }) => ({ KeyId: keyId, KeyPairSpec: spec, EncryptionContext: CONTEXT });
}
