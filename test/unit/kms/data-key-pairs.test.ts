import { createPrivateKey, createPublicKey } from 'node:crypto';
import { KEY_PAIR_SPECS, type KeyPairSpecName } from '../../../src/hsm/key-pair-specs';
import { decodeCiphertext } from '../../../src/kms/ciphertext';
import { decrypt } from '../../../src/kms/data';
import { generateDataKeyPair, generateDataKeyPairWithoutPlaintext } from '../../../src/kms/data-key-pairs';
import { createKey, disableKey } from '../../../src/kms/keys';
import type { PrivateKeyExport } from '../../../src/kms/kms';
import { JOB_MS } from './fake-token';
import { codeOf, context, type DomainOptions, kmsErrorOf, newCall, openDomain } from './fixture';

const CONTEXT = context({ device: '17' });

async function withKey(options: DomainOptions = {}) {
  const domain = await openDomain(options);
  const key = await createKey(domain.kms, newCall(), { description: '' });
  domain.token.jobs.length = 0;
  const request = (spec: KeyPairSpecName = 'ECC_NIST_P256') => ({
    keyId: key.id,
    spec,
    authenticated: CONTEXT,
    dryRun: false,
  });
  return { ...domain, key, request };
}

/** The public key of a private one, both DER. */
const publicOf = (privateKey: Buffer): Buffer =>
  createPublicKey(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  });

describe('a data key pair', () => {
  // RSA of one size only: the sizes differ on the token alone, and large keys take their time.
  const names = [...KEY_PAIR_SPECS.keys()].filter((name) => !/RSA_[34]/.test(name)) as KeyPairSpecName[];

  it.each(names)('of %s comes back from its ciphertext', async (spec) => {
    const { kms, key, request } = await withKey();
    const call = newCall();
    const pair = await generateDataKeyPair(kms, call, request(spec));
    expect(call).toEqual({
      ...newCall(),
      keyId: key.id,
      encryptionContext: new Map([['device', '17']]),
      wrapping: 'kwp+gcm',
      details: { keyVersion: 1, keyPairSpec: spec },
      tokenMs: JOB_MS,
    });
    expect(pair).toMatchObject({ key, spec });
    const ciphertext = pair.privateKeyCiphertext;
    expect(decodeCiphertext(ciphertext)).toMatchObject({
      kind: 'private-key',
      keyId: key.id,
      version: 1,
      spec: { name: spec },
      wrapping: 'kwp+gcm',
      sealedKey: false,
    });
    const opened = await decrypt(kms, newCall(), { ciphertext, authenticated: CONTEXT, dryRun: false });
    expect(opened).toMatchObject({ key, version: key.current });
    expect(publicOf(opened.plaintext)).toEqual(pair.publicKey);
  });

  it('does not open under another context', async () => {
    const { kms, request } = await withKey();
    const { privateKeyCiphertext: ciphertext } = await generateDataKeyPair(kms, newCall(), request());
    for (const authenticated of [context({ device: '18' }), context()]) {
      const opening = decrypt(kms, newCall(), { ciphertext, authenticated, dryRun: false });
      expect(await codeOf(opening)).toBe('INVALID_CIPHERTEXT');
    }
  });

  it('is made and opened with both objects of the version', async () => {
    const { kms, token, key, request } = await withKey();
    const { privateKeyCiphertext: ciphertext } = await generateDataKeyPair(kms, newCall(), request());
    await decrypt(kms, newCall(), { ciphertext, authenticated: CONTEXT, dryRun: false });
    const { encryptObject, wrapObject } = key.current;
    expect(token.jobNames).toEqual(['generateKeyPair', 'exportPrivateKey']);
    for (const { input } of token.jobs) expect(input).toMatchObject({ encryptObject, wrapObject });
  });

  it('says in its header how it was wrapped', async () => {
    const { kms, request } = await withKey({
      report: { dialect: { wrapping: 'gcm', ecUnwrapTakesPoint: false } },
    });
    const { privateKeyCiphertext } = await generateDataKeyPairWithoutPlaintext(kms, newCall(), request());
    expect(decodeCiphertext(privateKeyCiphertext)).toMatchObject({ wrapping: 'gcm' });
    expect(privateKeyCiphertext[1]).toBe(3);
  });

  it('of a spec that the token does not do is not asked for', async () => {
    const specs = [
      { name: 'ECC_NIST_P256', works: true },
      { name: 'ECC_SECG_P256K1', works: false },
    ] as const;
    const { kms, token, request } = await withKey({ report: { specs } });
    for (const spec of ['ECC_SECG_P256K1', 'RSA_2048'] as const) {
      expect(await kmsErrorOf(generateDataKeyPair(kms, newCall(), request(spec)))).toMatchObject({
        code: 'UNSUPPORTED_OPERATION',
        message: `The token of this service does not make key pairs of spec ${spec}.`,
      });
    }
    expect(token.jobs).toEqual([]);
  });

  it('of a disabled key is not asked for', async () => {
    const { kms, token, key, request } = await withKey();
    await disableKey(kms, newCall(), key.id);
    expect(await codeOf(generateDataKeyPair(kms, newCall(), request()))).toBe('DISABLED');
    expect(token.jobs).toEqual([]);
  });
});

describe('P11KMS_PRIVATE_KEY_EXPORT', () => {
  it.each([
    ['never', false],
    ['on-request', false],
    ['aws', true],
  ] as const)(
    '%s: GenerateDataKeyPair answers with the private key: %s',
    async (privateKeyExport, answers) => {
      const { kms, request } = await withKey({ privateKeyExport });
      const pair = await generateDataKeyPair(kms, newCall(), request());
      expect('privateKeyPlaintext' in pair).toBe(answers);
      if (pair.privateKeyPlaintext) expect(publicOf(pair.privateKeyPlaintext)).toEqual(pair.publicKey);
    },
  );

  it('aws: counts the time of both jobs', async () => {
    const { kms, request } = await withKey({ privateKeyExport: 'aws' });
    const call = newCall();
    await generateDataKeyPair(kms, call, request());
    expect(call.tokenMs).toBe(2 * JOB_MS);
  });

  it('aws: WithoutPlaintext stays without', async () => {
    const { kms, token, request } = await withKey({ privateKeyExport: 'aws' });
    const pair = await generateDataKeyPairWithoutPlaintext(kms, newCall(), request());
    expect(Object.keys(pair).sort()).toEqual([
      'iv',
      'key',
      'privateKeyCiphertext',
      'publicKey',
      'spec',
      'version',
    ]);
    expect(token.jobNames).toEqual(['generateKeyPair']);
  });

  it.each(['never', 'on-request', 'aws'] as const)(
    'never seals for good: %s does not open what it wrapped',
    async (later) => {
      const sealing = await withKey({ privateKeyExport: 'never' });
      const pair = await generateDataKeyPair(sealing.kms, newCall(), sealing.request());
      const ciphertext = pair.privateKeyCiphertext;
      expect(decodeCiphertext(ciphertext)).toMatchObject({ sealedKey: true });
      const { kms, token } = await openDomain({ privateKeyExport: later, sharing: sealing });
      const opening = decrypt(kms, newCall(), { ciphertext, authenticated: CONTEXT, dryRun: false });
      expect(await kmsErrorOf(opening)).toMatchObject({
        code: 'UNSUPPORTED_OPERATION',
        message: 'This private key is sealed: it never leaves the service in plaintext.',
      });
      expect(token.jobs).toEqual([]);
    },
  );

  it.each([
    ['on-request', 'never', 'UNSUPPORTED_OPERATION'],
    ['aws', 'never', 'UNSUPPORTED_OPERATION'],
    ['aws', 'on-request', 'opened'],
    ['on-request', 'aws', 'opened'],
  ] as const)('what %s wrapped is, under %s: %s', async (before, now, outcome) => {
    const wrapping = await withKey({ privateKeyExport: before as PrivateKeyExport });
    const pair = await generateDataKeyPair(wrapping.kms, newCall(), wrapping.request());
    const { kms } = await openDomain({ privateKeyExport: now, sharing: wrapping });
    const request = { ciphertext: pair.privateKeyCiphertext, authenticated: CONTEXT, dryRun: false };
    const opening = decrypt(kms, newCall(), request).then(({ plaintext }) => {
      expect(publicOf(plaintext)).toEqual(pair.publicKey);
      return 'opened';
    });
    expect(await opening.catch(({ code }) => code)).toBe(outcome);
  });

  it('lets nothing out of a token that lets nothing out, and makes no pair for nothing', async () => {
    const { kms, token, request } = await withKey({ privateKeyExport: 'aws', report: { canExport: false } });
    const refusal = {
      code: 'UNSUPPORTED_OPERATION',
      message: 'The token of this service lets no private key out.',
    };
    expect(await kmsErrorOf(generateDataKeyPair(kms, newCall(), request()))).toMatchObject(refusal);
    expect(token.jobs).toEqual([]);
    const pair = await generateDataKeyPairWithoutPlaintext(kms, newCall(), request());
    const opening = { ciphertext: pair.privateKeyCiphertext, authenticated: CONTEXT, dryRun: false };
    expect(await kmsErrorOf(decrypt(kms, newCall(), opening))).toMatchObject(refusal);
    expect(token.jobNames).toEqual(['generateKeyPair']);
  });
});
