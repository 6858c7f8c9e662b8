import { decodeCiphertext } from '../../../src/kms/ciphertext';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKey, generateDataKeyWithoutPlaintext } from '../../../src/kms/data-keys';
import { createKey } from '../../../src/kms/keys';
import { generateRandom } from '../../../src/kms/random';
import { JOB_MS } from './fake-token';
import { codeOf, context, newCall, openDomain } from './fixture';

const PLAINTEXT = Buffer.from('the quick brown fox');
const TENANT = context({ tenant: 'acme', purpose: 'backup' });

async function withKey() {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '' });
  domain.token.jobs.length = 0;
  return { ...domain, key };
}

describe('encrypt and decrypt', () => {
  it.each([
    ['a context', TENANT],
    ['no context', context()],
    ['raw bytes', { kind: 'raw', bytes: Buffer.from('aad') } as const],
  ])('go there and back under %s', async (_what, authenticated) => {
    const { kms, key } = await withKey();
    const { ciphertext, key: used } = await encrypt(kms, newCall(), {
      keyId: key.arn,
      plaintext: PLAINTEXT,
      authenticated,
      dryRun: false,
    });
    expect(used).toEqual(key);
    const decrypted = await decrypt(kms, newCall(), { ciphertext, authenticated, dryRun: false });
    expect(decrypted).toEqual({ key, version: key.current, plaintext: PLAINTEXT });
  });

  it('compare an IV that the caller names with the one in the ciphertext, and ask no token for another', async () => {
    const { kms, key, token } = await withKey();
    const request = { keyId: key.id, plaintext: PLAINTEXT, authenticated: context(), dryRun: false };
    const { ciphertext, iv } = await encrypt(kms, newCall(), request);
    const open = (named: Buffer) =>
      decrypt(kms, newCall(), { ciphertext, iv: named, authenticated: context(), dryRun: false });
    expect((await open(iv)).plaintext).toEqual(PLAINTEXT);
    token.jobs.length = 0;
    for (const other of [Buffer.alloc(12), iv.subarray(0, 11), Buffer.concat([iv, Buffer.alloc(1)])]) {
      expect(await codeOf(open(other))).toBe('INVALID_CIPHERTEXT');
    }
    expect(token.jobs).toEqual([]);
  });

  it('bind the header and the context: AES-GCM is given both', async () => {
    const { kms, key, token } = await withKey();
    const request = { keyId: key.id, plaintext: PLAINTEXT, authenticated: TENANT, dryRun: false };
    const { ciphertext } = await encrypt(kms, newCall(), request);
    await decrypt(kms, newCall(), { ciphertext, authenticated: TENANT, dryRun: false });
    const aad = Buffer.concat([
      ciphertext.subarray(0, 26),
      Buffer.from('01', 'hex'),
      ...['purpose', 'backup', 'tenant', 'acme'].flatMap((text) => [
        Buffer.from([0, 0, 0, text.length]),
        Buffer.from(text),
      ]),
    ]);
    const { iv, sealed } = decodeCiphertext(ciphertext);
    const object = key.current.encryptObject;
    expect(token.jobs).toEqual([
      { name: 'encrypt', input: { object, aad, plaintext: PLAINTEXT } },
      { name: 'decrypt', input: { object, aad, iv, sealed } },
    ]);
  });

  it.each([
    ['another value', context({ tenant: 'other', purpose: 'backup' })],
    ['a pair less', context({ tenant: 'acme' })],
    ['no context', context()],
    ['raw bytes', { kind: 'raw', bytes: Buffer.from('aad') } as const],
  ])('do not open under %s', async (_what, authenticated) => {
    const { kms, key } = await withKey();
    const request = { keyId: key.id, plaintext: PLAINTEXT, authenticated: TENANT, dryRun: false };
    const { ciphertext } = await encrypt(kms, newCall(), request);
    expect(await codeOf(decrypt(kms, newCall(), { ciphertext, authenticated, dryRun: false }))).toBe(
      'INVALID_CIPHERTEXT',
    );
  });

  it('do not open with any one byte changed', async () => {
    const { kms, key } = await withKey();
    const authenticated = context();
    const request = { keyId: key.id, plaintext: PLAINTEXT, authenticated, dryRun: false };
    const { ciphertext } = await encrypt(kms, newCall(), request);
    for (let at = 0; at < ciphertext.length; at++) {
      const changed = Buffer.from(ciphertext);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x40, at);
      const code = await codeOf(
        decrypt(kms, newCall(), { ciphertext: changed, authenticated, dryRun: false }),
      );
      expect(code).toBe(at >= 4 && at < 20 ? 'CIPHERTEXT_KEY_OUT_OF_REACH' : 'INVALID_CIPHERTEXT');
    }
  });

  it('write the key, the context and the time on the token into the call', async () => {
    const { kms, key } = await withKey();
    const call = newCall();
    const pairs = { tenant: 'acme' };
    const authenticated = context(pairs);
    const request = { keyId: key.id, plaintext: PLAINTEXT, authenticated, dryRun: false };
    const { ciphertext } = await encrypt(kms, call, request);
    const written = {
      ...newCall(),
      keyId: key.id,
      encryptionContext: new Map(Object.entries(pairs)),
      details: { keyVersion: 1 },
      tokenMs: JOB_MS,
    };
    expect(call).toEqual(written);
    const other = newCall();
    await decrypt(kms, other, { ciphertext, authenticated, dryRun: false });
    expect(other).toEqual(written);
  });
});

describe('data keys', () => {
  it('decrypt to the plaintext that came with them', async () => {
    const { kms, key } = await withKey();
    const call = newCall();
    const request = { keyId: key.id, bytes: 32, authenticated: TENANT, dryRun: false };
    const dataKey = await generateDataKey(kms, call, request);
    expect(call).toMatchObject({ keyId: key.id, tokenMs: JOB_MS });
    expect(dataKey.key).toEqual(key);
    expect(dataKey.plaintext).toHaveLength(32);
    const { ciphertext } = dataKey;
    const { plaintext } = await decrypt(kms, newCall(), { ciphertext, authenticated: TENANT, dryRun: false });
    expect(plaintext).toEqual(dataKey.plaintext);
  });

  it('come without plaintext where that is asked for: the token is told to keep it', async () => {
    const { kms, key, token } = await withKey();
    const request = { keyId: key.id, bytes: 16, authenticated: TENANT, dryRun: false };
    const dataKey = await generateDataKeyWithoutPlaintext(kms, newCall(), request);
    expect(Object.keys(dataKey).sort()).toEqual(['ciphertext', 'iv', 'key', 'version']);
    expect(token.jobs[0]?.input).toMatchObject({ bytes: 16, withPlaintext: false });
    const { ciphertext } = dataKey;
    const { plaintext } = await decrypt(kms, newCall(), { ciphertext, authenticated: TENANT, dryRun: false });
    expect(plaintext).toHaveLength(16);
  });
});

describe('generateRandom', () => {
  it('gives bytes of the token, and the time that took', async () => {
    const { kms, token } = await withKey();
    const call = newCall();
    expect(await generateRandom(kms, call, { bytes: 24 })).toHaveLength(24);
    expect(token.jobs).toEqual([{ name: 'generateRandom', input: { bytes: 24 } }]);
    expect(call).toEqual({ ...newCall(), tokenMs: JOB_MS });
  });
});
