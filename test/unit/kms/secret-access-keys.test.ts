import { KmsError } from '../../../src/errors';
import {
  isAccessKeyId,
  makeAccessKey,
  openSecret,
  type Sealer,
  sealSecret,
} from '../../../src/kms/secret-access-keys';
import { FakeToken } from './fake-token';
import { codeOf, kmsErrorOf } from './fixture';

const STORE_ID = '0123456789ab';
const SERVICE_KEY = '00'.repeat(16);

function sealerOn(token: FakeToken, storeId = STORE_ID): Sealer {
  token.objects.set(SERVICE_KEY, 'service');
  return { run: (name, input) => token.run(name, input), storeId, serviceKey: SERVICE_KEY };
}

describe('an access key', () => {
  it("looks like one of AWS's, and comes from the token's generator", async () => {
    const token = new FakeToken();
    for (let count = 0; count < 50; count++) {
      const { id, secret } = await makeAccessKey(sealerOn(token));
      expect(id).toMatch(/^AKIA[A-Z2-7]{16}$/);
      expect(isAccessKeyId(id)).toBe(true);
      expect(secret.toString()).toMatch(/^[A-Za-z0-9+/]{40}$/);
    }
    expect(token.jobs).toHaveLength(50);
    expect(token.jobs[0]).toEqual({ name: 'generateRandom', input: { bytes: 56 } });
  });

  it('uses every character of both alphabets, and all bits of the random bytes', async () => {
    const [ids, secrets] = [new Set<string>(), new Set<number>()];
    for (let start = 0; start < 256; start++) {
      const random = Buffer.from(Array.from({ length: 56 }, (_, index) => (start + index) % 256));
      const { id, secret } = await makeAccessKey({ run: async () => ({ random }) as never });
      for (const character of id.slice(4)) ids.add(character);
      for (const byte of secret) secrets.add(byte);
      expect(random.every((byte) => byte === 0)).toBe(true);
    }
    expect([ids.size, secrets.size]).toEqual([32, 64]);
  });
});

describe('a sealed secret', () => {
  it('opens as what it was, and shows nothing of it', async () => {
    const token = new FakeToken();
    const sealer = sealerOn(token);
    const accessKey = await makeAccessKey(sealer);
    const sealed = await sealSecret(sealer, accessKey);
    expect(Buffer.from(sealed, 'base64')).toHaveLength(12 + 40 + 16);
    expect(sealed).not.toContain(accessKey.secret.toString());
    expect(await sealSecret(sealer, accessKey)).not.toBe(sealed);
    expect((await openSecret(sealer, accessKey.id, sealed)).equals(accessKey.secret)).toBe(true);
  });

  it('opens neither for another access key nor in another store, nor changed', async () => {
    const token = new FakeToken();
    const sealer = sealerOn(token);
    const accessKey = await makeAccessKey(sealer);
    const sealed = await sealSecret(sealer, accessKey);
    const changed = Buffer.from(sealed, 'base64');
    changed[20] = (changed[20] ?? 0) ^ 1;
    for (const [opener, id, text] of [
      [sealer, 'AKIAAAAAAAAAAAAAAAAA', sealed],
      [sealerOn(token, 'ba9876543210'), accessKey.id, sealed],
      [sealer, accessKey.id, changed.toString('base64')],
    ] as const) {
      const error = await kmsErrorOf(openSecret(opener, id, text));
      // The client's request has no ciphertext that could be invalid.
      expect(error).toMatchObject({ code: 'INTERNAL', message: 'The access key cannot be used.' });
    }
  });

  it('is not to be had while the token is away', async () => {
    const token = new FakeToken();
    const sealer = sealerOn(token);
    token.failAt('decrypt', new KmsError('KEY_UNAVAILABLE', 'away'));
    expect(await codeOf(openSecret(sealer, 'AKIAAAAAAAAAAAAAAAAA', 'AAAA'))).toBe('KEY_UNAVAILABLE');
  });
});
