import { KmsError } from '../../../src/errors';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair, generateDataKeyPairWithoutPlaintext } from '../../../src/kms/data-key-pairs';
import { generateDataKey, generateDataKeyWithoutPlaintext } from '../../../src/kms/data-keys';
import type { Key } from '../../../src/kms/key';
import { createKey, disableKey } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import { codeOf, context, type DomainOptions, kmsErrorOf, newCall, openDomain, UNKNOWN_ID } from './fixture';

const EMPTY = context();
const LONE_SURROGATE = context({ key: '\ud800' });

interface DryRun {
  readonly keyId: string;
  readonly authenticated: typeof EMPTY;
  /** Of the key. */
  readonly ciphertext: Buffer;
}

const OPERATIONS: readonly [string, (kms: Kms, call: Call, request: DryRun) => Promise<unknown>][] = [
  [
    'encrypt',
    (kms, call, request) => encrypt(kms, call, { ...request, plaintext: Buffer.from('x'), dryRun: true }),
  ],
  ['decrypt', (kms, call, request) => decrypt(kms, call, { ...request, dryRun: true })],
  [
    'generateDataKey',
    (kms, call, request) => generateDataKey(kms, call, { ...request, bytes: 32, dryRun: true }),
  ],
  [
    'generateDataKeyWithoutPlaintext',
    (kms, call, request) =>
      generateDataKeyWithoutPlaintext(kms, call, { ...request, bytes: 32, dryRun: true }),
  ],
  [
    'generateDataKeyPair',
    (kms, call, request) =>
      generateDataKeyPair(kms, call, { ...request, spec: 'ECC_NIST_P256', dryRun: true }),
  ],
  [
    'generateDataKeyPairWithoutPlaintext',
    (kms, call, request) =>
      generateDataKeyPairWithoutPlaintext(kms, call, { ...request, spec: 'ECC_NIST_P256', dryRun: true }),
  ],
];

/** A key, a ciphertext of it, and a token that cannot do anything any more. */
async function withDeadToken(options: DomainOptions = {}) {
  const domain = await openDomain(options);
  const { kms, token } = domain;
  const key: Key = await createKey(kms, newCall(), { description: '' });
  const request = { keyId: key.id, plaintext: Buffer.from('x'), authenticated: EMPTY, dryRun: false };
  const { ciphertext } = await encrypt(kms, newCall(), request);
  token.jobs.length = 0;
  for (const name of [
    'encrypt',
    'decrypt',
    'generateDataKey',
    'generateKeyPair',
    'exportPrivateKey',
  ] as const)
    token.failAt(name, new KmsError('KEY_UNAVAILABLE', 'The token is not available.'));
  return { ...domain, key, request: { keyId: key.id, authenticated: EMPTY, ciphertext } };
}

describe.each(OPERATIONS)('a dry run of %s', (name, dryRun) => {
  it('says that it would succeed, and does not ask the token', async () => {
    const { kms, token, key, request } = await withDeadToken();
    const call = newCall();
    expect(await kmsErrorOf(dryRun(kms, call, request))).toMatchObject({
      code: 'DRY_RUN',
      message: 'The request would have succeeded, but the DryRun option is set.',
    });
    expect(token.jobs).toEqual([]);
    expect(call).toEqual({
      ...newCall(),
      keyId: key.id,
      encryptionContext: new Map(),
      tokenMs: 0,
      // How a private key would have been wrapped.
      ...(name.startsWith('generateDataKeyPair') && { wrapping: 'kwp+gcm' }),
    });
  });

  it('says what is wrong: an unknown key, a disabled one, text that is no Unicode', async () => {
    const { kms, token, key, request } = await withDeadToken();
    const codeWith = (change: Partial<DryRun>) => codeOf(dryRun(kms, newCall(), { ...request, ...change }));
    expect(await codeWith({ keyId: UNKNOWN_ID })).toBe('NOT_FOUND');
    expect(await codeWith({ authenticated: LONE_SURROGATE })).toBe('INVALID_REQUEST');
    await disableKey(kms, newCall(), key.id);
    expect(await codeWith({})).toBe('DISABLED');
    expect(token.jobs).toEqual([]);
  });

  it('says where the private key would not come out', async () => {
    const { kms, request } = await withDeadToken({ privateKeyExport: 'aws', report: { canExport: false } });
    const outcome = name === 'generateDataKeyPair' ? 'UNSUPPORTED_OPERATION' : 'DRY_RUN';
    expect(await codeOf(dryRun(kms, newCall(), request))).toBe(outcome);
  });
});

it('a dry run of a key pair names a spec that the token does not do', async () => {
  const { kms, request } = await withDeadToken({ report: { specs: [] } });
  const pair = { ...request, spec: 'RSA_4096', dryRun: true } as const;
  expect(await codeOf(generateDataKeyPair(kms, newCall(), pair))).toBe('UNSUPPORTED_OPERATION');
});
