import { KmsError } from '../../../src/errors';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair } from '../../../src/kms/data-key-pairs';
import { generateDataKey } from '../../../src/kms/data-keys';
import { initialVersion } from '../../../src/kms/encrypting-version';
import type { Key, KeyVersion } from '../../../src/kms/key';
import { createKey, disableKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import { reEncrypt } from '../../../src/kms/re-encrypt';
import { rotateKeyOnDemand } from '../../../src/kms/rotation';
import { codeOf, context, type Domain, kmsErrorOf, newCall, openDomain } from './fixture';

async function withKey(gcmCalls: number): Promise<Domain & { readonly key: Key }> {
  const domain = await openDomain({ gcmCalls });
  return { ...domain, key: await createKey(domain.kms, newCall(), { description: '' }) };
}

const encryptUnder = async (kms: Kms, keyId: string, dryRun = false) => {
  const request = { keyId, plaintext: Buffer.from('data'), authenticated: context(), dryRun };
  return (await encrypt(kms, newCall(), request)).ciphertext;
};

const decryptIt = async (kms: Kms, ciphertext: Buffer) =>
  (await decrypt(kms, newCall(), { ciphertext, authenticated: context(), dryRun: false })).plaintext;

const versionOf = (ciphertext: Buffer): number => ciphertext.readUInt32BE(20);

/** How many calls of each version are counted. */
const countsOf = async (kms: Kms, keyId: string) =>
  (await kms.store.keys.find(keyId))?.versions.map(({ gcm_calls }) => gcm_calls);

describe('a version that has no AES-GCM call left', () => {
  it('is rotated, and what was encrypted under it opens', async () => {
    const { kms, key } = await withKey(2);
    const ciphertexts: Buffer[] = [];
    for (let count = 0; count < 5; count++) ciphertexts.push(await encryptUnder(kms, key.id));
    expect(ciphertexts.map(versionOf)).toEqual([1, 1, 2, 2, 3]);
    for (const ciphertext of ciphertexts)
      expect(await decryptIt(kms, ciphertext)).toEqual(Buffer.from('data'));
    const { current } = await kms.keys.resolve(key.id);
    expect(current.rotation?.cause).toBe('exhausted');
  });

  it('is rotated once, however many requests meet it at the same time', async () => {
    const { kms, key } = await withKey(20);
    for (let count = 0; count < 20; count++) await encryptUnder(kms, key.id);
    const all = await Promise.all(Array.from({ length: 20 }, () => encryptUnder(kms, key.id)));
    expect(new Set(all.map(versionOf))).toEqual(new Set([2]));
    expect(await countsOf(kms, key.id)).toEqual([20, 20]);
  });

  it('never makes more than its calls, and a request that is always too late is refused', async () => {
    const { kms, key } = await withKey(3);
    const asked = Array.from({ length: 60 }, () =>
      encryptUnder(kms, key.id).catch((error: KmsError) => error.code),
    );
    const outcomes = await Promise.all(asked);
    const versions = outcomes.filter((outcome) => typeof outcome !== 'string').map(versionOf);
    for (const number of new Set(versions)) {
      expect(versions.filter((version) => version === number).length).toBeLessThanOrEqual(3);
    }
    expect(versions.length).toBeGreaterThanOrEqual(3);
    expect(new Set(outcomes.filter((outcome) => typeof outcome === 'string'))).toEqual(
      new Set(['THROTTLED']),
    );
    // Nobody rotates for nothing: every version that was made is used.
    const counts = await countsOf(kms, key.id);
    expect(counts).toEqual(Array(counts?.length).fill(3));
  });

  it('counts whatever encrypts, and nothing else', async () => {
    const { kms, key } = await withKey(2 ** 20);
    const request = { keyId: key.id, authenticated: context(), dryRun: false };
    const ciphertext = await encryptUnder(kms, key.id);
    await generateDataKey(kms, newCall(), { ...request, bytes: 32 });
    await generateDataKeyPair(kms, newCall(), { ...request, spec: 'ECC_NIST_P256' });
    const source = { ciphertext, authenticated: context() };
    await reEncrypt(kms, newCall(), { ...request, source, destinationKeyId: key.id });
    const block = 16;
    expect(await countsOf(kms, key.id)).toEqual([block]);
    await decryptIt(kms, ciphertext);
    await codeOf(encryptUnder(kms, key.id, true));
    // Of the block, four are used.
    const left = () => kms.gcmCalls.takeReserved({ keyId: key.id, number: 1 });
    expect(Array.from({ length: block - 4 }, left).every(Boolean)).toBe(true);
    expect(left()).toBe(false);
  });

  it('counts calls that fail', async () => {
    const { kms, token, key } = await withKey(2);
    token.failAt('encrypt', new KmsError('INTERNAL', ''));
    for (let count = 0; count < 2; count++) expect(await codeOf(encryptUnder(kms, key.id))).toBe('INTERNAL');
    token.work();
    expect(versionOf(await encryptUnder(kms, key.id))).toBe(2);
  });

  it('is not rotated for a key that was disabled meanwhile', async () => {
    const { kms, token, key } = await withKey(1);
    await encryptUnder(kms, key.id);
    await kms.store.keys.setState(key.id, 'disabled');
    // This instance does not know it yet.
    expect((await kms.keys.resolve(key.id)).state).toBe('enabled');
    expect(await codeOf(encryptUnder(kms, key.id))).toBe('DISABLED');
    expect(token.objects.size).toBe(2);
    await disableKey(kms, newCall(), key.id);
  });

  it('where the token cannot rotate it, refuses with what the token says', async () => {
    const { kms, token, key } = await withKey(1);
    await encryptUnder(kms, key.id);
    token.failAt('createKeyObjects', new KmsError('KEY_UNAVAILABLE', ''));
    expect(await codeOf(encryptUnder(kms, key.id))).toBe('KEY_UNAVAILABLE');
    expect(await countsOf(kms, key.id)).toEqual([1]);
    token.work();
    // The number of the one that failed is not used again.
    expect(versionOf(await encryptUnder(kms, key.id))).toBe(3);
  });

  it('stays unused after a restart', async () => {
    const first = await withKey(3);
    for (let count = 0; count < 2; count++) await encryptUnder(first.kms, first.key.id);
    const second = await openDomain({ gcmCalls: 3, sharing: first });
    const versions = [];
    for (let count = 0; count < 2; count++)
      versions.push(versionOf(await encryptUnder(second.kms, first.key.id)));
    expect(versions).toEqual([1, 2]);
  });

  it('leaves an old version as it is where the key was rotated before it was used up', async () => {
    const { kms, key } = await withKey(5);
    await encryptUnder(kms, key.id);
    await rotateKeyOnDemand(kms, newCall(), key.id);
    expect(versionOf(await encryptUnder(kms, key.id))).toBe(2);
    expect(await countsOf(kms, key.id)).toEqual([1, 1]);
  });
});

describe('a job that is to be done again', () => {
  it('is one more call, and is not done where none is reserved', async () => {
    const { kms, token, key } = await withKey(3 * 65_536);
    await encryptUnder(kms, key.id);
    const { mayRepeat } = token;
    expect([mayRepeat(), mayRepeat(), mayRepeat()]).toEqual([true, true, false]);
    expect(await countsOf(kms, key.id)).toEqual([3]);
  });

  it.each([
    [
      'generateDataKey',
      (kms: Kms, keyId: string) =>
        generateDataKey(kms, newCall(), { keyId, bytes: 32, authenticated: context(), dryRun: false }),
    ],
    [
      'generateKeyPair',
      (kms: Kms, keyId: string) =>
        generateDataKeyPair(kms, newCall(), {
          keyId,
          spec: 'ECC_NIST_P256',
          authenticated: context(),
          dryRun: false,
        }),
    ],
    [
      'reEncrypt',
      async (kms: Kms, keyId: string) => {
        const other = await createKey(kms, newCall(), { description: '' });
        const source = { ciphertext: await encryptUnder(kms, other.id), authenticated: context() };
        const request = { source, destinationKeyId: keyId, authenticated: context(), dryRun: false };
        return reEncrypt(kms, newCall(), request);
      },
    ],
    [
      'rewrapPrivateKey',
      async (kms: Kms, keyId: string) => {
        const other = await createKey(kms, newCall(), { description: '' });
        const { privateKeyCiphertext: ciphertext } = await generateDataKeyPair(kms, newCall(), {
          keyId: other.id,
          spec: 'ECC_NIST_P256',
          authenticated: context(),
          dryRun: false,
        });
        const source = { ciphertext, authenticated: context() };
        const request = { source, destinationKeyId: keyId, authenticated: context(), dryRun: false };
        return reEncrypt(kms, newCall(), request);
      },
    ],
  ])('is counted under the key that encrypts: %s', async (job, run) => {
    const { kms, token, key } = await withKey(2 * 65_536);
    await run(kms, key.id);
    expect(token.jobNames.at(-1)).toBe(job);
    expect([token.mayRepeat(), token.mayRepeat()]).toEqual([true, false]);
    expect(kms.gcmCalls.takeReserved({ keyId: key.id, number: 1 })).toBe(false);
  });

  it('may be done again at will where it encrypts nothing', async () => {
    const { kms, token, key } = await withKey(1);
    await decryptIt(kms, await encryptUnder(kms, key.id));
    expect(token.jobNames.at(-1)).toBe('decrypt');
    expect([token.mayRepeat(), token.mayRepeat()]).toEqual([true, true]);
  });
});

describe('the initial version', () => {
  const underInitial = async (kms: Kms, keyId: string) => {
    const request = { keyId, plaintext: Buffer.from('data'), authenticated: context(), dryRun: false };
    return encrypt(kms, newCall(), { ...request, under: 'initial' });
  };

  it('encrypts where that is asked for, whatever rotations have made since', async () => {
    const { kms, key } = await withKey(2 ** 20);
    await rotateKeyOnDemand(kms, newCall(), key.id);
    await rotateKeyOnDemand(kms, newCall(), key.id);
    const request = { keyId: key.id, authenticated: context(), under: 'initial', dryRun: false } as const;
    const { iv, version, ciphertext } = await underInitial(kms, key.id);
    const dataKey = await generateDataKey(kms, newCall(), { ...request, bytes: 32 });
    const pair = await generateDataKeyPair(kms, newCall(), { ...request, spec: 'ECC_NIST_P256' });
    expect(version).toEqual(key.current);
    expect(iv).toEqual(ciphertext.subarray(26, 38));
    for (const made of [ciphertext, dataKey.ciphertext, pair.privateKeyCiphertext]) {
      expect(versionOf(made)).toBe(1);
    }
    expect(versionOf(await encryptUnder(kms, key.id))).toBe(3);
  });

  it('refuses once its AES-GCM calls are used up, is not rotated for that, and still decrypts', async () => {
    const { kms, key } = await withKey(1);
    const { ciphertext } = await underInitial(kms, key.id);
    const error = await kmsErrorOf(underInitial(kms, key.id));
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining(key.arn) });
    expect(await countsOf(kms, key.id)).toEqual([1]);
    expect(await decryptIt(kms, ciphertext)).toEqual(Buffer.from('data'));
    expect(versionOf(await encryptUnder(kms, key.id))).toBe(2);
  });

  it('is what a request may insist on when it decrypts', async () => {
    const { kms, key } = await withKey(2 ** 20);
    const first = await encryptUnder(kms, key.id);
    await rotateKeyOnDemand(kms, newCall(), key.id);
    const second = await encryptUnder(kms, key.id);
    const open = (ciphertext: Buffer) =>
      decrypt(kms, newCall(), { ciphertext, authenticated: context(), under: 'initial', dryRun: false });
    expect((await open(first)).plaintext).toEqual(Buffer.from('data'));
    expect(await codeOf(open(second))).toBe('INVALID_CIPHERTEXT');
  });

  it('is the one with the lowest number, where numbers have gaps', () => {
    const version = (number: number) => ({ number }) as KeyVersion;
    const versions = new Map([7, 3, 5].map((number) => [number, version(number)]));
    expect(initialVersion({ versions, current: version(7) } as unknown as Key).number).toBe(3);
  });
});
