import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { makings } from '../support/call-log';
import { type OpenToken, type ShimmedToken, shimmedNss, shimmedSoftHsm } from '../support/token';
import { refusalOf } from '../support/token-jobs';

const TOKENS = [
  { name: 'SoftHSM2', make: () => shimmedSoftHsm() },
  { name: 'NSS', make: () => shimmedNss() },
];

const newObject = () => {
  const id = randomBytes(16).toString('hex');
  return { id, label: `p11kms/test/audit/${id}` };
};

describe.each(TOKENS)('a key that signs, on $name', ({ make }) => {
  let fixture: ShimmedToken;
  let token: OpenToken;

  beforeAll(async () => {
    fixture = await make();
    token = await fixture.open();
  });

  afterAll(async () => fixture.remove());

  it('makes signatures that its public key verifies', async () => {
    const object = newObject();
    const { publicKey } = await token.run('createSigningKey', object);
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
    expect(key.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    const text = randomBytes(100);
    const digest = createHash('sha256').update(text).digest();
    const { signature } = await token.run('sign', { object: object.id, digest });
    expect(signature).toHaveLength(64);
    expect(verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    const other = await token.run('sign', { object: object.id, digest: randomBytes(32) });
    expect(verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, other.signature)).toBe(false);
  });

  it('is made once, whichever process is asked', async () => {
    const object = newObject();
    const { publicKey } = await token.run('createSigningKey', object);
    const again = await fixture.open();
    const answers = await Promise.all([
      token.run('createSigningKey', object),
      token.run('createSigningKey', object),
      again.run('createSigningKey', object),
    ]);
    for (const answer of answers) expect(answer.publicKey.equals(publicKey)).toBe(true);
    await again.close(0);
  });

  it('stays on the token, is SENSITIVE and not EXTRACTABLE, cannot be changed, and signs only', async () => {
    await token.run('createSigningKey', newObject());
    const made = makings(fixture.shim.log()).filter(
      ({ template }) => template.class === p11.CKO_PRIVATE_KEY && template.flags.TOKEN,
    );
    expect(made.length).toBeGreaterThan(0);
    for (const { template } of made) {
      expect(template.flags).toMatchObject({
        PRIVATE: true,
        SENSITIVE: true,
        EXTRACTABLE: false,
        MODIFIABLE: false,
        SIGN: true,
        DECRYPT: false,
        UNWRAP: false,
        DERIVE: false,
      });
    }
  });

  it('is not made again by signing', async () => {
    const unknown = { object: newObject().id, digest: randomBytes(32) };
    expect(await refusalOf(token.run('sign', unknown))).toBe('KEY_UNAVAILABLE');
  });
});
