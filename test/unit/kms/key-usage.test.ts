import { decrypt, encrypt } from '../../../src/kms/data';
import type { EncryptionAlgorithm } from '../../../src/kms/key-usage';
import { createKey, disableKey } from '../../../src/kms/keys';
import { reEncrypt } from '../../../src/kms/re-encrypt';
import { codeOf, context, kmsErrorOf, newCall, openDomain, UNKNOWN_ID } from './fixture';

async function withCiphertext() {
  const { kms, token } = await openDomain();
  const { id } = await createKey(kms, newCall(), { description: '' });
  const about = { authenticated: context(), dryRun: false };
  const { ciphertext } = await encrypt(kms, newCall(), { keyId: id, plaintext: Buffer.from('x'), ...about });
  token.jobs.length = 0;
  const uses = (algorithm: EncryptionAlgorithm, keyId: string = id) => [
    encrypt(kms, newCall(), { keyId, plaintext: Buffer.from('x'), ...about, algorithm }),
    decrypt(kms, newCall(), { ciphertext, keyId, ...about, algorithm }),
    reEncrypt(kms, newCall(), {
      source: { ciphertext, keyId, authenticated: context(), algorithm },
      destinationKeyId: id,
      ...about,
    }),
    reEncrypt(kms, newCall(), {
      source: { ciphertext, authenticated: context() },
      destinationKeyId: keyId,
      ...about,
      algorithm,
    }),
  ];
  return {
    kms,
    token,
    id,
    uses,
    decryptUnnamed: () => decrypt(kms, newCall(), { ciphertext, ...about, algorithm: 'SM2PKE' }),
  };
}

describe('the algorithm of a symmetric key', () => {
  it('is SYMMETRIC_DEFAULT', async () => {
    const { uses } = await withCiphertext();
    for (const use of uses('SYMMETRIC_DEFAULT')) await expect(use).resolves.toBeDefined();
  });

  it.each(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const)('is not %s', async (algorithm) => {
    const { token, uses, decryptUnnamed } = await withCiphertext();
    for (const use of [...uses(algorithm)]) {
      expect(await kmsErrorOf(use)).toMatchObject({
        code: 'INVALID_KEY_USAGE',
        message: `Algorithm ${algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
      });
    }
    expect(await codeOf(decryptUnnamed())).toBe('INVALID_KEY_USAGE');
    expect(token.jobs).toEqual([]);
  });

  it('is looked at once the key is known to be there and enabled', async () => {
    const { kms, id, uses } = await withCiphertext();
    for (const use of uses('SM2PKE', UNKNOWN_ID)) expect(await codeOf(use)).toBe('NOT_FOUND');
    await disableKey(kms, newCall(), id);
    for (const use of uses('SM2PKE')) expect(await codeOf(use)).toBe('DISABLED');
  });
});
