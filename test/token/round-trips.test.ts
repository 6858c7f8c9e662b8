import { createPrivateKey, randomBytes } from 'node:crypto';
import { CKM_AES_GCM, CKR_MECHANISM_INVALID } from 'pkcs11js';
import type { KeyPairSpecName } from '../../src/hsm/key-pair-specs';
import {
  nss,
  type OpenToken,
  type ShimmedToken,
  shimmedSoftHsm,
  softHsm,
  type TestToken,
} from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  exportPair,
  flip,
  generatePair,
  type KeyObjects,
  keyDetailsOf,
  type Pair,
  publicKeyOf,
  refusalOf,
  type Sealed,
  signsFor,
} from '../support/token-jobs';

const EC_SPECS: KeyPairSpecName[] = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'];
const RSA_SPECS: KeyPairSpecName[] = ['RSA_2048', 'RSA_3072', 'RSA_4096'];
const EVERY_SPEC: KeyPairSpecName[] = [...RSA_SPECS, ...EC_SPECS, 'ECC_SECG_P256K1'];

const TOKENS = [
  { name: 'SoftHSM2', make: () => softHsm(), wrapping: 'kwp+gcm', kwpMechanism: 0x210a, specs: EVERY_SPEC },
  {
    name: 'a token whose AES-GCM wraps',
    make: () => shimmedSoftHsm('gcm-wrap'),
    wrapping: 'gcm',
    kwpMechanism: 0x210a,
    specs: EVERY_SPEC,
  },
  {
    name: 'a token whose AES-GCM wraps and makes the IV',
    make: () => shimmedSoftHsm('gcm-wrap', 'own-iv'),
    wrapping: 'gcm',
    kwpMechanism: 0x210a,
    specs: EVERY_SPEC,
  },
  {
    name: 'NSS',
    make: () => nss(),
    wrapping: 'kwp+gcm',
    kwpMechanism: 0x210b,
    specs: [...RSA_SPECS, ...EC_SPECS],
  },
] as const;

describe.each(TOKENS)('$name', ({ make, wrapping, kwpMechanism, specs }) => {
  let fixture: TestToken;
  let token: OpenToken;
  let keys: KeyObjects;

  beforeAll(async () => {
    fixture = await make();
    token = await fixture.open();
    keys = await createKey(token);
  });

  afterAll(async () => fixture.remove());

  it('is reported with its way of wrapping and its specs', () => {
    const { dialect, canExport, missing } = token.report;
    expect(dialect).toMatchObject({ wrapping, kwpMechanism });
    expect({ canExport, missing }).toEqual({ canExport: true, missing: [] });
    const working = token.report.specs.filter(({ works }) => works).map(({ name }) => name);
    expect(working).toEqual(specs);
  });

  it.each(specs)('%s: an exported private key signs for its public key', async (spec) => {
    const pair = await generatePair(token, keys, spec);
    expect(publicKeyOf(pair).asymmetricKeyDetails).toMatchObject(keyDetailsOf(spec));
    const pkcs8 = await exportPair(token, keys, pair);
    expect(signsFor(pkcs8, pair)).toBe(true);
    // Standard DER: OpenSSL would write the very same bytes.
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    expect(pkcs8.equals(key.export({ format: 'der', type: 'pkcs8' }))).toBe(true);
  });

  it.each([1, 15, 16, 17, 4096])('decrypts the %i bytes that it encrypted', async (length) => {
    const plaintext = randomBytes(length);
    const sealed = await encrypt(token, keys, plaintext);
    expect(sealed.iv).toHaveLength(12);
    expect(sealed.sealed).toHaveLength(length + 16);
    expect(await decrypt(token, keys, sealed)).toEqual(plaintext);
  });

  it('encrypts the same under another IV each time', async () => {
    const plaintext = randomBytes(32);
    const all = await Promise.all(Array.from({ length: 50 }, () => encrypt(token, keys, plaintext)));
    expect(new Set(all.map(({ iv }) => iv.toString('hex'))).size).toBe(50);
  });

  it('generates a data key, and hands it out only where it is asked to', async () => {
    const wanted = { object: keys.encryptObject, aad: AAD, bytes: 64 };
    const { plaintext, ...sealed } = await token.run('generateDataKey', { ...wanted, withPlaintext: true });
    expect(plaintext).toHaveLength(64);
    expect(await decrypt(token, keys, sealed)).toEqual(plaintext);
    const without = await token.run('generateDataKey', { ...wanted, withPlaintext: false });
    expect(without).not.toHaveProperty('plaintext');
    expect(await decrypt(token, keys, without)).toHaveLength(64);
  });

  it('gives random bytes', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => token.run('generateRandom', { bytes: 1024 })));
    expect(one?.random).toHaveLength(1024);
    expect(one?.random).not.toEqual(other?.random);
  });

  describe('what was tampered with', () => {
    let pids: number[];

    beforeAll(() => {
      pids = token.pids();
    });

    // A worker that ended was replaced: its process id would be another.
    afterAll(() => expect(token.pids()).toEqual(pids));

    const faults: [string, (sealed: Sealed) => Partial<Sealed & { aad: Buffer }>][] = [
      ['the additional data', () => ({ aad: flip(AAD) })],
      ['no additional data', () => ({ aad: Buffer.alloc(0) })],
      ['the IV', ({ iv }) => ({ iv: flip(iv) })],
      ['the first byte', ({ sealed }) => ({ sealed: flip(sealed) })],
      ['the last byte of the tag', ({ sealed }) => ({ sealed: flip(sealed, -1) })],
      ['a byte cut off', ({ sealed }) => ({ sealed: sealed.subarray(0, -1) })],
      ['a byte too many', ({ sealed }) => ({ sealed: Buffer.concat([sealed, Buffer.alloc(1)]) })],
      ['17 bytes left', ({ sealed }) => ({ sealed: sealed.subarray(0, 17) })],
      ['the tag alone', ({ sealed }) => ({ sealed: sealed.subarray(-16) })],
      ['less than a tag', ({ sealed }) => ({ sealed: sealed.subarray(0, 15) })],
      ['nothing left', () => ({ sealed: Buffer.alloc(0) })],
    ];

    it.each(faults)('data does not open: %s', async (_, fault) => {
      const plaintext = randomBytes(100);
      const sealed = await encrypt(token, keys, plaintext);
      const input = { object: keys.encryptObject, aad: AAD, ...sealed };
      const twice = [1, 2].map(() => token.run('decrypt', { ...input, ...fault(sealed) }));
      expect(await Promise.all(twice.map(refusalOf))).toEqual(['INVALID_CIPHERTEXT', 'INVALID_CIPHERTEXT']);
      expect(await decrypt(token, keys, sealed)).toEqual(plaintext);
    });

    it('data does not open under another key', async () => {
      const sealed = await encrypt(token, await createKey(token), randomBytes(100));
      expect(await refusalOf(decrypt(token, keys, sealed))).toBe('INVALID_CIPHERTEXT');
    });

    describe.each(['ECC_NIST_P256', 'RSA_2048'] as const)('a private key of %s does not open', (spec) => {
      let pair: Pair;
      let others: Pair;

      beforeAll(async () => {
        pair = await generatePair(token, keys, spec);
        others = await generatePair(token, keys, spec);
      });

      it.each(faults)('%s', async (_, fault) => {
        const tampered = { ...pair, ...fault(pair) };
        expect(await refusalOf(exportPair(token, keys, tampered))).toBe('INVALID_CIPHERTEXT');
        expect(signsFor(await exportPair(token, keys, pair), pair)).toBe(true);
      });

      it.each(['encryptObject', 'wrapObject'] as const)('the %s of another key', async (object) => {
        const otherKey = await createKey(token);
        const mixed = { ...keys, [object]: otherKey[object] };
        // Where AES-GCM wraps, one object does it all.
        const unused = wrapping === 'gcm' && object === 'encryptObject';
        expect(await refusalOf(exportPair(token, mixed, pair))).toBe(unused ? 'done' : 'INVALID_CIPHERTEXT');
      });

      it('the additional data of another pair', async () => {
        const swapped = exportPair(token, keys, { ...pair, aad: others.aad });
        // An RSA pair has no point, so both are bound to the same.
        expect(await refusalOf(swapped)).toBe(spec === 'RSA_2048' ? 'done' : 'INVALID_CIPHERTEXT');
      });
    });

    // The point is authenticated, as a part of the additional data: here the token layer is told another one.
    it.each([
      ['one bit of x', ({ point }: Pair) => flip(point, 1)],
      ['the last bit', ({ point }: Pair) => flip(point, -1)],
      ['not uncompressed', ({ point }: Pair) => flip(point, 0)],
      ['cut off', ({ point }: Pair) => point.subarray(0, -1)],
      ["another pair's", (_: Pair, others: Pair) => others.point],
    ])('a private key does not open beside a point that is not its own: %s', async (_, fault) => {
      const pair = await generatePair(token, keys, 'ECC_NIST_P256');
      const others = await generatePair(token, keys, 'ECC_NIST_P256');
      const tampered = { ...pair, point: fault(pair, others) };
      expect(await refusalOf(exportPair(token, keys, tampered))).toBe('INVALID_CIPHERTEXT');
      expect(signsFor(await exportPair(token, keys, pair), pair)).toBe(true);
    });

    it('a private key does not open as one on another curve', async () => {
      const pair = await generatePair(token, keys, 'ECC_NIST_P256');
      const tampered: Pair = { ...pair, spec: 'ECC_NIST_P384' };
      expect(await refusalOf(exportPair(token, keys, tampered))).toBe('INVALID_CIPHERTEXT');
    });
  });
});

describe('a token that learns to wrap with AES-GCM', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm('gcm-wrap');
  });

  afterEach(async () => fixture.remove());

  it('still opens what it wrapped before', async () => {
    fixture.shim.set('gcm-wrap', `C_WrapKey fail=${CKR_MECHANISM_INVALID} mechanism=${CKM_AES_GCM}`);
    const before = await fixture.open();
    expect(before.report.dialect.wrapping).toBe('kwp+gcm');
    const keys = await createKey(before);
    const pair = await generatePair(before, keys, 'ECC_NIST_P256');
    await before.close(1_000);
    fixture.shim.set('gcm-wrap');
    const after = await fixture.open();
    expect(after.report.dialect.wrapping).toBe('gcm');
    const old = await exportPair(after, keys, pair, before.report.dialect.wrapping);
    expect(signsFor(old, pair)).toBe(true);
    const newPair = await generatePair(after, keys, 'ECC_NIST_P256');
    expect(signsFor(await exportPair(after, keys, newPair), newPair)).toBe(true);
  });
});
