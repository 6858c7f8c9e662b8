import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { keyPairSpec } from '../../../src/hsm/key-pair-specs';
import { decodeCiphertext, encodeCiphertext, type PrivateKeyCiphertext } from '../../../src/kms/ciphertext';
import { type DecryptRequest, decrypt, encrypt } from '../../../src/kms/data';
import { createKey, disableKey } from '../../../src/kms/keys';
import { context, type Domain, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

/** Two keys, a ciphertext of the first, and a token that has forgotten what it was asked so far. */
async function withCiphertext() {
  const domain = await openDomain();
  const { kms, token } = domain;
  const key = await createKey(kms, newCall(), { description: '' });
  const other = await createKey(kms, newCall(), { description: '' });
  const authenticated = context();
  const request = { keyId: key.id, plaintext: Buffer.from('secret'), authenticated, dryRun: false };
  const { ciphertext } = await encrypt(kms, newCall(), request);
  token.jobs.length = 0;
  return { ...domain, key, other, ciphertext };
}

async function refusalOf({ kms, token }: Domain, request: Pick<DecryptRequest, 'ciphertext' | 'keyId'>) {
  const call = newCall();
  const error = await kmsErrorOf(decrypt(kms, call, { ...request, authenticated: context(), dryRun: false }));
  expect(token.jobs).toEqual([]);
  expect(call.tokenMs).toBe(0);
  return { code: error.code, message: error.message, keyId: call.keyId };
}

const wrapped = (blob: Buffer, sealedKey: boolean): PrivateKeyCiphertext => ({
  ...decodeCiphertext(blob),
  kind: 'private-key',
  spec: keyPairSpec('RSA_2048'),
  wrapping: 'kwp+gcm',
  sealedKey,
  format: 'DER',
  point: Buffer.alloc(0),
});

const named = (blob: Buffer, keyId: string): Buffer => {
  const copy = Buffer.from(blob);
  copy.write(keyId.replaceAll('-', ''), 4, 'hex');
  return copy;
};

describe('decrypt, before the token is asked, refuses', () => {
  it('what is no ciphertext, though the key is unknown as well', async () => {
    const domain = await withCiphertext();
    const ciphertext = Buffer.from('no ciphertext');
    const refusal = await refusalOf(domain, { ciphertext, keyId: UNKNOWN_ID });
    expect(refusal).toMatchObject({ code: 'INVALID_CIPHERTEXT', keyId: undefined });
  });

  it('a key that is unknown, in the words of every operation', async () => {
    const domain = await withCiphertext();
    const refusal = await refusalOf(domain, { ciphertext: domain.ciphertext, keyId: UNKNOWN_ID });
    const message = `Key '${PREFIX}:key/${UNKNOWN_ID}' does not exist`;
    expect(refusal).toEqual({ code: 'NOT_FOUND', message, keyId: undefined });
  });

  it('the ciphertext of another key, and has the key that was meant in the record', async () => {
    const domain = await withCiphertext();
    const { ciphertext, other } = domain;
    const refusal = await refusalOf(domain, { ciphertext, keyId: other.id });
    expect(refusal).toMatchObject({ code: 'INCORRECT_KEY', keyId: other.id });
  });

  it('the ciphertext of another key, before that key is known to be disabled', async () => {
    const domain = await withCiphertext();
    const { ciphertext, key, other, kms } = domain;
    await disableKey(kms, newCall(), key.id);
    await disableKey(kms, newCall(), other.id);
    expect(await refusalOf(domain, { ciphertext, keyId: other.id })).toMatchObject({ code: 'INCORRECT_KEY' });
  });

  it('a ciphertext that names a key which is unknown, in the words of AWS', async () => {
    const domain = await withCiphertext();
    const ciphertext = named(domain.ciphertext, UNKNOWN_ID);
    expect(await refusalOf(domain, { ciphertext })).toEqual({
      code: 'CIPHERTEXT_KEY_OUT_OF_REACH',
      message:
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
      keyId: undefined,
    });
  });

  it('a disabled key, before it says anything of the ciphertext', async () => {
    const domain = await withCiphertext();
    const { key, kms, ciphertext } = domain;
    await disableKey(kms, newCall(), key.id);
    const noVersion = encodeCiphertext({ ...decodeCiphertext(ciphertext), version: 7 });
    for (const blob of [ciphertext, noVersion, encodeCiphertext(wrapped(ciphertext, true))]) {
      const refusal = await refusalOf(domain, { ciphertext: blob });
      expect(refusal).toEqual({ code: 'DISABLED', message: `${key.arn} is disabled.`, keyId: key.id });
    }
  });

  it('a version that the key does not have', async () => {
    const domain = await withCiphertext();
    for (const version of [0, 2, 0xffffffff]) {
      const ciphertext = encodeCiphertext({ ...decodeCiphertext(domain.ciphertext), version });
      expect(await refusalOf(domain, { ciphertext })).toMatchObject({ code: 'INVALID_CIPHERTEXT' });
    }
  });

  it('a private key that is sealed', async () => {
    const domain = await withCiphertext();
    const { key, ciphertext } = domain;
    const refusal = await refusalOf(domain, { ciphertext: encodeCiphertext(wrapped(ciphertext, true)) });
    expect(refusal).toMatchObject({ code: 'UNSUPPORTED_OPERATION', keyId: key.id });
  });

  it('a private key whose wrapping the token does not do', async () => {
    const domain = await withCiphertext();
    const byGcm = { ...wrapped(domain.ciphertext, false), wrapping: 'gcm' } as const;
    const refusal = await refusalOf(domain, { ciphertext: encodeCiphertext(byGcm) });
    expect(refusal).toMatchObject({ code: 'INVALID_CIPHERTEXT' });
  });
});

describe('decrypt', () => {
  it.each([
    ['its id', `ID`],
    ['its ARN', `${PREFIX}:key/ID`],
    ['an alias', 'alias/app'],
    ['an alias ARN', `${PREFIX}:alias/app`],
  ])('takes the key that is meant by %s', async (_what, reference) => {
    const { kms, key, ciphertext } = await withCiphertext();
    await kms.store.aliases.create('alias/app', key.id);
    const keyId = reference.replace('ID', key.id);
    const request = { ciphertext, keyId, authenticated: context(), dryRun: false };
    await expect(decrypt(kms, newCall(), request)).resolves.toMatchObject({
      plaintext: Buffer.from('secret'),
    });
  });

  it('opens with the version that the ciphertext names, not with the current one', async () => {
    const { kms, token, key, ciphertext, dataDir } = await withCiphertext();
    const database = new SQLite(join(dataDir, 'p11kms.sqlite'));
    database.exec(
      `INSERT INTO key_versions (key_id, number, state, encrypt_object, wrap_object, created_at) VALUES ('${key.id}', 2, 'active', 'e2', 'w2', 0);
       UPDATE keys SET current_version = 2 WHERE id = '${key.id}'`,
    );
    database.close();
    token.objects.set('e2', 'encrypt').set('w2', 'wrap');
    kms.keys.forget();
    const request = { ciphertext, authenticated: context(), dryRun: false };
    const old = await decrypt(kms, newCall(), request);
    expect(old.version).toEqual(key.current);
    expect(old.key.current.number).toBe(2);
    expect(token.jobs[0]?.input).toMatchObject({ object: key.current.encryptObject });
    const again = { keyId: key.id, plaintext: Buffer.from('new'), authenticated: context(), dryRun: false };
    const fresh = await encrypt(kms, newCall(), again);
    expect(decodeCiphertext(fresh.ciphertext).version).toBe(2);
    const opened = await decrypt(kms, newCall(), { ...request, ciphertext: fresh.ciphertext });
    expect(opened).toMatchObject({ plaintext: Buffer.from('new'), version: { number: 2 } });
  });
});
