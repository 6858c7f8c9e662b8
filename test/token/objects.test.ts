import { randomBytes } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { makings, sessionObjectsLeft, typesRead } from '../support/call-log';
import { Driver, type Handle } from '../support/pkcs11-shim/driver';
import { type OpenToken, type ShimmedToken, shimmedNss, shimmedSoftHsm } from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  exportPair,
  flip,
  generatePair,
  type KeyObjects,
  refusalOf,
} from '../support/token-jobs';

const TOKENS = [
  { name: 'SoftHSM2', make: () => shimmedSoftHsm() },
  { name: 'a token whose AES-GCM wraps', make: () => shimmedSoftHsm('gcm-wrap') },
  { name: 'NSS', make: () => shimmedNss() },
];

/** Ten jobs of every kind that leaves something behind if it is not cleared away. */
async function tenJobs(token: OpenToken, keys: KeyObjects, round: number): Promise<string[]> {
  const plaintext = randomBytes(40);
  const pair = await generatePair(token, keys, round % 5 === 0 ? 'RSA_2048' : 'ECC_NIST_P384');
  const sealed = await encrypt(token, keys, plaintext);
  const spare = await createKey(token);
  const dataKey = { object: keys.encryptObject, aad: AAD, bytes: 32, withPlaintext: round % 2 === 0 };
  return Promise.all(
    [
      exportPair(token, keys, pair),
      exportPair(token, keys, { ...pair, sealed: flip(pair.sealed) }),
      decrypt(token, keys, sealed),
      decrypt(token, keys, { ...sealed, iv: flip(sealed.iv) }),
      token.run('generateDataKey', dataKey),
      token.run('destroyObjects', { ids: [spare.encryptObject, spare.wrapObject] }),
      round % 2 === 0 ? token.run('generateRandom', { bytes: 32 }) : token.ping(),
    ].map(refusalOf),
  );
}

const TEN_ANSWERS = ['done', 'INVALID_CIPHERTEXT', 'done', 'INVALID_CIPHERTEXT', 'done', 'done', 'done'];

describe.each(TOKENS)('$name: after 200 mixed jobs', ({ make }) => {
  let fixture: ShimmedToken;
  let token: OpenToken;
  let keys: KeyObjects;

  beforeAll(async () => {
    fixture = await make();
    token = await fixture.open();
    keys = await createKey(token);
    const rounds = Array.from({ length: 20 }, (_, round) => tenJobs(token, keys, round));
    for (const answers of await Promise.all(rounds)) expect(answers).toEqual(TEN_ANSWERS);
    expect(token.events.jobs.length).toBeGreaterThanOrEqual(200);
  });

  afterAll(async () => fixture.remove());

  it('no session objects are left', () => {
    expect(token.pids()).toHaveLength(3);
    expect(sessionObjectsLeft(fixture.shim.log())).toEqual([]);
  });

  it('no object has both WRAP and DECRYPT, or both UNWRAP and ENCRYPT', () => {
    const secretKeys = makings(fixture.shim.log()).filter(
      ({ template }) => template.class === p11.CKO_SECRET_KEY,
    );
    expect(secretKeys.length).toBeGreaterThan(40);
    // What a template does not say is the token's choice, and SoftHSM's is to allow it.
    const allowed = (flag: boolean | undefined) => flag !== false;
    const both = secretKeys.filter(
      ({ template: { flags } }) =>
        (allowed(flags.WRAP) && allowed(flags.DECRYPT)) || (allowed(flags.UNWRAP) && allowed(flags.ENCRYPT)),
    );
    expect(both).toEqual([]);
  });

  it('every private key was SENSITIVE, and none was a token object', () => {
    const log = fixture.shim.log();
    const privateKeys = makings(log).filter(({ template }) => template.class === p11.CKO_PRIVATE_KEY);
    expect(privateKeys.map(({ by }) => by)).toEqual(
      expect.arrayContaining(['C_GenerateKeyPair', 'C_UnwrapKey']),
    );
    const others = privateKeys.filter(({ template: { flags } }) => !flags.SENSITIVE || flags.TOKEN !== false);
    expect(others).toEqual([]);
    // Every private key is among them: all pairs and all that was unwrapped.
    const expected = log.filter(
      ({ function: by, created }) => created && /C_GenerateKeyPair|C_UnwrapKey/.test(by),
    );
    expect(privateKeys).toHaveLength(expected.length);
  });

  it('secret keys are SENSITIVE, and token objects stay what they are', () => {
    const secretKeys = makings(fixture.shim.log()).filter(
      ({ template }) => template.class === p11.CKO_SECRET_KEY,
    );
    expect(secretKeys.filter(({ template }) => !template.flags.SENSITIVE)).toEqual([]);
    const tokenKeys = secretKeys.filter(({ template }) => template.flags.TOKEN);
    expect(tokenKeys.length).toBeGreaterThan(40);
    for (const { template } of tokenKeys) {
      expect(template.flags).toMatchObject({ PRIVATE: true, EXTRACTABLE: false, MODIFIABLE: false });
    }
  });

  it('no value of a key was ever read, and no key was changed, copied or derived', () => {
    const { shim } = fixture;
    expect(typesRead(shim.log())).toEqual([p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT, p11.CKA_EC_POINT]);
    expect(shim.count(({ function: name }) => /SetAttribute|CopyObject|DeriveKey/.test(name))).toBe(0);
  });
});

const ATTRIBUTES = {
  private: p11.CKA_PRIVATE,
  sensitive: p11.CKA_SENSITIVE,
  alwaysSensitive: p11.CKA_ALWAYS_SENSITIVE,
  neverExtractable: p11.CKA_NEVER_EXTRACTABLE,
  modifiable: p11.CKA_MODIFIABLE,
  encrypt: p11.CKA_ENCRYPT,
  decrypt: p11.CKA_DECRYPT,
  wrap: p11.CKA_WRAP,
  unwrap: p11.CKA_UNWRAP,
  sign: p11.CKA_SIGN,
  derive: p11.CKA_DERIVE,
};

/** All secret keys on the token by label, as another process that is logged in sees them. */
async function secretKeysOn({ shim, label, pin }: ShimmedToken): Promise<Map<string, object>> {
  const on = await Driver.start(shim, {
    env: { SOFTHSM2_CONF: String(process.env.SOFTHSM2_CONF) },
    label,
    pin,
  });
  const session = await on.login();
  await on.call('C_FindObjectsInit', session, [{ type: p11.CKA_CLASS, value: p11.CKO_SECRET_KEY }]);
  const found = await on.call<Handle[]>('C_FindObjects', session, 100);
  const keys = new Map<string, object>();
  for (const object of found) {
    const types = [p11.CKA_LABEL, ...Object.values(ATTRIBUTES)].map((type) => ({ type }));
    const [name, ...values] = await on.call<{ value: Uint8Array }[]>(
      'C_GetAttributeValue',
      session,
      object,
      types,
    );
    const flags = Object.keys(ATTRIBUTES).filter((_, index) => values[index]?.value[0] === 1);
    keys.set(Buffer.from(name?.value ?? '').toString(), flags);
  }
  await on.kill();
  return keys;
}

it('on the token there are the service key and two keys a version, none of which can do more than its work', async () => {
  const fixture = await shimmedSoftHsm();
  const token = await fixture.open();
  await createKey(token, 'k');
  const fixed = ['private', 'sensitive', 'alwaysSensitive', 'neverExtractable'];
  expect(await secretKeysOn(fixture)).toEqual(
    new Map([
      ['p11kms/test/service', [...fixed, 'encrypt', 'decrypt']],
      ['p11kms/test/k/1/encrypt', [...fixed, 'encrypt', 'decrypt']],
      ['p11kms/test/k/1/wrap', [...fixed, 'wrap', 'unwrap']],
    ]),
  );
  await fixture.remove();
});
