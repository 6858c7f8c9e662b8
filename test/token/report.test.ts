import * as p11 from 'pkcs11js';
import { StartError } from '../../src/errors';
import { inspectToken } from '../../src/hsm/token';
import { sessionObjectsLeft } from '../support/call-log';
import { nss, type ShimmedToken, shimmedSoftHsm, softHsm } from '../support/token';
import { createKey, generatePair } from '../support/token-jobs';

const { CKM_AES_GCM, CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN } = p11;
const KWP = 0x210b;
const KEY_WRAP_PAD = 0x210a;

describe('what a token lacks', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
  });

  afterEach(async () => fixture.remove());

  const WRAPPING = 'a way to wrap private keys (CKM_AES_GCM with CKF_WRAP, or RFC 5649 key wrapping)';
  const KEY_PAIRS = 'key pair generation (EC or RSA)';

  it.each([
    ['AES-GCM, as opencryptoki does', [CKM_AES_GCM], ['CKM_AES_GCM encryption']],
    ['every way of wrapping', [KWP, KEY_WRAP_PAD], [WRAPPING]],
    ['AES keys', [CKM_AES_KEY_GEN], ['CKM_AES_KEY_GEN']],
    ['key pairs', [CKM_EC_KEY_PAIR_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN], [KEY_PAIRS]],
    [
      'everything, as a token for signatures does',
      [CKM_AES_GCM, KWP, KEY_WRAP_PAD, CKM_AES_KEY_GEN, CKM_EC_KEY_PAIR_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN],
      ['CKM_AES_KEY_GEN', 'CKM_AES_GCM encryption', WRAPPING, KEY_PAIRS],
    ],
  ])('%s: it is refused by name', async (_, hidden, missing) => {
    fixture.shim.set(`hide=${hidden.join()}`);
    await expect(fixture.open()).rejects.toThrow(
      new StartError(`the token cannot be used: it lacks ${missing.join('; ')}`),
    );
    const { report, trouble } = await inspectToken(fixture.options(), async () => {
      throw new Error('an unusable token was lent');
    });
    expect(trouble).toBeInstanceOf(StartError);
    expect(report).toMatchObject({ missing, specs: [], canExport: false, token: { label: fixture.label } });
    expect(report).not.toHaveProperty('dialect');
  });

  it.each([
    ['RSA', [CKM_EC_KEY_PAIR_GEN], /^RSA/, 'the token generates no EC key pairs'],
    ['EC', [CKM_RSA_PKCS_KEY_PAIR_GEN], /^ECC/, 'the token generates no RSA key pairs'],
  ])('a token that makes %s key pairs alone can be used for these', async (_, hidden, kind, note) => {
    fixture.shim.set(`hide=${hidden.join()}`);
    const { report } = await fixture.open();
    expect(report.canExport).toBe(true);
    for (const spec of report.specs) {
      const works = kind.test(spec.name);
      expect(spec).toEqual({ name: spec.name, works, ...(!works && { note }) });
    }
  });

  it('AES-GCM that fails is not proved, and the report says how it failed', async () => {
    fixture.shim.set(`C_EncryptInit fail=0x70 mechanism=${CKM_AES_GCM}`);
    await expect(fixture.open()).rejects.toThrow(
      'lacks CKM_AES_GCM encryption: CKM_AES_GCM encrypt: C_EncryptInit answered 0x70',
    );
  });

  it('a token that is to make the IV and does not is refused, with the setting', async () => {
    await expect(fixture.open({ gcmIv: 'token' })).rejects.toThrow(/the token made no IV.*P11KMS_GCM_IV/);
  });

  it('key wrapping that fails is not proved, and the report says how each way failed', async () => {
    fixture.shim.set('gcm-wrap', 'C_WrapKey fail=0x70');
    await expect(fixture.open()).rejects.toThrow(
      `${WRAPPING}: CKM_AES_GCM wrap: C_WrapKey answered 0x70, CKM_AES_KEY_WRAP_PAD: C_WrapKey answered 0x70`,
    );
  });

  it('wrapping that fails with a private key is not chosen, and the report says how it failed', async () => {
    fixture.shim.set('C_UnwrapKey fail=0x70');
    await expect(fixture.open()).rejects.toThrow(
      'it lacks kwp+gcm wrapping that carries a key there and back (C_UnwrapKey answered 0x70)',
    );
  });

  it('private keys do not leave a token that takes no known keys, and all else works', async () => {
    fixture.shim.set('C_CreateObject fail=0xd1');
    const token = await fixture.open();
    expect(token.report).toMatchObject({ canExport: false, missing: [], dialect: { wrapping: 'kwp+gcm' } });
    const pair = await generatePair(token, await createKey(token), 'ECC_NIST_P256');
    expect(pair.sealed.length).toBeGreaterThan(64);
  });

  it('AES-GCM that is said to wrap and does not is not chosen', async () => {
    fixture.shim.set('gcm-wrap', `C_WrapKey fail=0x70 mechanism=${CKM_AES_GCM}`);
    const { report } = await fixture.open();
    expect(report.dialect.wrapping).toBe('kwp+gcm');
    expect(report.mechanisms).toContainEqual({
      name: 'CKM_AES_GCM wrap',
      number: CKM_AES_GCM,
      found: true,
      proved: false,
      note: 'C_WrapKey answered 0x70',
    });
  });

  it('leaves no object on the token', async () => {
    const token = await fixture.open();
    expect(sessionObjectsLeft(fixture.shim.log())).toEqual([]);
    expect(await token.run('listObjects', { labelPrefix: '' })).toEqual({ objects: [fixture.serviceKey] });
  });

  it('tells the limits that the token tells, and no others', async () => {
    expect((await fixture.open()).report.limits).toEqual({});
    fixture.shim.set(
      'max-session-count=16 session-count=3 free-private-memory=0 total-private-memory=4096',
      'free-public-memory=1024 total-public-memory=4096',
    );
    expect((await fixture.open()).report.limits).toEqual({
      maxSessions: 16,
      openSessions: 3,
      freePrivateMemory: 0,
      freePublicMemory: 1024,
    });
    // Nothing free of nothing is how some modules say that they do not know.
    fixture.shim.set('free-private-memory=0 total-private-memory=0');
    expect((await fixture.open()).report.limits).toEqual({});
  });
});

describe('NSS', () => {
  it('is not taken at its word: its 0x210A is not RFC 5649, its 0x210B is', async () => {
    const fixture = await nss();
    const { report } = await fixture.open();
    expect(report.mechanisms).toContainEqual({
      name: 'CKM_AES_KEY_WRAP_PAD',
      number: KEY_WRAP_PAD,
      found: true,
      proved: false,
      note: 'makes 48 bytes of 32: it is not RFC 5649',
    });
    expect(report.mechanisms).toContainEqual({
      name: 'CKM_AES_KEY_WRAP_KWP',
      number: KWP,
      found: true,
      proved: true,
    });
    expect(report.dialect).toEqual({ wrapping: 'kwp+gcm', kwpMechanism: KWP, ecUnwrapTakesPoint: true });
    expect(report.specs.filter(({ works }) => !works)).toEqual([
      {
        name: 'ECC_SECG_P256K1',
        works: false,
        note: expect.stringMatching(/^C_GenerateKeyPair answered 0x/),
      },
    ]);
    expect(report.token.label).toBe('NSS Certificate DB');
    await fixture.remove();
  });
});

describe('SoftHSM2', () => {
  it('does RFC 5649 as 0x210A, and knows no 0x210B', async () => {
    const fixture = await softHsm();
    const { report } = await fixture.open();
    expect(report.mechanisms).toContainEqual({
      name: 'CKM_AES_KEY_WRAP_PAD',
      number: KEY_WRAP_PAD,
      found: true,
      proved: true,
    });
    expect(report.mechanisms).toContainEqual({ name: 'CKM_AES_KEY_WRAP_KWP', number: KWP, found: false });
    expect(report.dialect).toEqual({
      wrapping: 'kwp+gcm',
      kwpMechanism: KEY_WRAP_PAD,
      ecUnwrapTakesPoint: false,
    });
    expect(report.module).toMatchObject({ manufacturer: 'SoftHSM', version: '2.6' });
    await fixture.remove();
  });
});
