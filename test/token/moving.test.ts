import { randomBytes } from 'node:crypto';
import type { JobInput } from '../../src/hsm/jobs';
import type { KeyPairSpecName } from '../../src/hsm/key-pair-specs';
import type { Wrapping } from '../../src/hsm/report';
import { nss, type OpenToken, shimmedSoftHsm, softHsm, type TestToken } from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  exportPair,
  flip,
  generatePair,
  type KeyObjects,
  type Pair,
  refusalOf,
  type Sealed,
  signsFor,
} from '../support/token-jobs';

const SPECS: KeyPairSpecName[] = ['ECC_NIST_P256', 'ECC_NIST_P521', 'RSA_2048'];
const OTHER_AAD = Buffer.from('what it is bound to afterwards');

const TOKENS = [
  { name: 'SoftHSM2', make: () => softHsm(), specs: [...SPECS, 'ECC_SECG_P256K1'] },
  {
    name: 'a token whose AES-GCM wraps',
    make: () => shimmedSoftHsm('gcm-wrap'),
    specs: [...SPECS, 'ECC_SECG_P256K1'],
  },
  {
    name: 'a token whose AES-GCM wraps and makes the IV',
    make: () => shimmedSoftHsm('gcm-wrap', 'own-iv'),
    specs: SPECS,
  },
  { name: 'NSS', make: () => nss(), specs: SPECS },
] as { name: string; make: () => Promise<TestToken>; specs: KeyPairSpecName[] }[];

describe.each(TOKENS)('moving on $name', ({ make, specs }) => {
  let fixture: TestToken;
  let token: OpenToken;
  let from: KeyObjects;
  let to: KeyObjects;

  beforeAll(async () => {
    fixture = await make();
    token = await fixture.open();
    from = await createKey(token);
    to = await createKey(token);
  });

  afterAll(async () => fixture.remove());

  const moveData = (sealed: Sealed, change: Partial<JobInput<'decrypt'>> = {}) =>
    token.run('reEncrypt', {
      source: { object: from.encryptObject, aad: AAD, ...sealed, ...change },
      destination: { object: to.encryptObject, aad: OTHER_AAD },
    });

  const movePair = async (
    { spec, point, iv, sealed, aad }: Pair,
    { source, destination = to }: { source?: object; destination?: KeyObjects } = {},
  ) => {
    const { wrapping } = token.report.dialect;
    return token.run('rewrapPrivateKey', {
      spec,
      point,
      source: { ...from, wrapping, iv, sealed, aad, ...source },
      destination: { ...destination, aad: OTHER_AAD },
    });
  };

  it.each([1, 100, 4096])(
    'data of %i bytes opens under the other key, with its own additional data',
    async (length) => {
      const plaintext = randomBytes(length);
      const sealed = await encrypt(token, from, plaintext);
      const moved = await moveData(sealed);
      expect(moved.iv).not.toEqual(sealed.iv);
      expect(Object.keys(moved).sort()).toEqual(['iv', 'sealed']);
      const input = { object: to.encryptObject, aad: OTHER_AAD, ...moved };
      expect((await token.run('decrypt', input)).plaintext).toEqual(plaintext);
      expect(await refusalOf(token.run('decrypt', { ...input, aad: AAD }))).toBe('INVALID_CIPHERTEXT');
      expect(await decrypt(token, from, sealed)).toEqual(plaintext);
    },
  );

  it('data may stay under its key', async () => {
    const plaintext = randomBytes(20);
    const destination = { object: from.encryptObject, aad: AAD };
    const sealed = await encrypt(token, from, plaintext);
    const moved = await token.run('reEncrypt', { source: { ...destination, ...sealed }, destination });
    expect(await decrypt(token, from, moved)).toEqual(plaintext);
  });

  it('data that does not open is not moved, and costs no worker', async () => {
    const pids = token.pids();
    const sealed = await encrypt(token, from, randomBytes(20));
    for (const change of [
      { aad: OTHER_AAD },
      { iv: flip(sealed.iv) },
      { sealed: flip(sealed.sealed, -1) },
      { sealed: sealed.sealed.subarray(0, 15) },
      { object: to.encryptObject },
    ]) {
      expect(await refusalOf(moveData(sealed, change))).toBe('INVALID_CIPHERTEXT');
    }
    expect(token.pids()).toEqual(pids);
    await moveData(sealed);
  });

  it.each(specs)('a private key of %s is the same under the other key', async (spec) => {
    const pair = await generatePair(token, from, spec);
    const moved = await movePair(pair);
    expect(moved.iv).not.toEqual(pair.iv);
    expect(moved.sealed).toHaveLength(pair.sealed.length);
    const opened = await exportPair(token, to, { ...pair, ...moved, aad: OTHER_AAD });
    expect(opened).toEqual(await exportPair(token, from, pair));
    expect(signsFor(opened, pair)).toBe(true);
    // And back.
    const there = { ...pair, ...moved, aad: OTHER_AAD };
    const back = await movePair(there, { source: to, destination: from });
    expect(signsFor(await exportPair(token, from, { ...there, ...back }), pair)).toBe(true);
  });

  it('a private key that does not open is not moved, and costs no worker', async () => {
    const pids = token.pids();
    const pair = await generatePair(token, from, 'ECC_NIST_P256');
    for (const source of [
      { aad: OTHER_AAD },
      { iv: flip(pair.iv) },
      { sealed: flip(pair.sealed) },
      { sealed: pair.sealed.subarray(0, 10) },
      to,
    ]) {
      expect(await refusalOf(movePair(pair, { source }))).toBe('INVALID_CIPHERTEXT');
    }
    expect(token.pids()).toEqual(pids);
    await movePair(pair);
  });
});

describe('what moving leaves behind', () => {
  it('on the token is nothing, also where wrapping fails', async () => {
    const fixture = await shimmedSoftHsm();
    try {
      const token = await fixture.open({ tokenWorkers: 1 });
      const [from, to] = [await createKey(token), await createKey(token)];
      const pair = await generatePair(token, from, 'ECC_NIST_P256');
      const { spec, point, iv, sealed, aad } = pair;
      const wrapping: Wrapping = 'kwp+gcm';
      const move = () =>
        token.run('rewrapPrivateKey', {
          spec,
          point,
          source: { ...from, wrapping, iv, sealed, aad },
          destination: { ...to, aad: OTHER_AAD },
        });
      for (const rule of ['', 'C_WrapKey fail=0x54', 'C_Encrypt fail=0x54']) {
        fixture.shim.set(...(rule ? [rule] : []));
        fixture.shim.clearLog();
        expect(await refusalOf(move())).toBe(rule ? 'INTERNAL' : 'done');
        const made = fixture.shim.log().filter((call) => call.function === 'C_UnwrapKey');
        const destroyed = fixture.shim
          .log()
          .filter((call) => call.function === 'C_DestroyObject')
          .flatMap(({ objects = [] }) => objects);
        expect(made).toHaveLength(1);
        expect(destroyed).toEqual(expect.arrayContaining([...(made[0]?.created ?? [])]));
        // Unwrapped as a sensitive session object, as every private key.
        expect(made[0]?.templates?.[0]?.flags).toMatchObject({
          TOKEN: false,
          SENSITIVE: true,
          PRIVATE: true,
        });
      }
    } finally {
      await fixture.remove();
    }
  });
});

describe('a job that was lost with its worker', () => {
  it('is done again only where the caller agrees, who is asked once for each time', async () => {
    const fixture = await shimmedSoftHsm();
    try {
      const token = await fixture.open({ tokenWorkers: 1 });
      const { encryptObject: object } = await createKey(token);
      const job = { object, aad: AAD, plaintext: Buffer.from('data') };
      for (const agreed of [true, false]) {
        fixture.shim.set('C_Encrypt abort times=1');
        fixture.shim.clearLog();
        const mayRepeat = jest.fn(() => agreed);
        const outcome = await refusalOf(token.run('encrypt', job, undefined, mayRepeat));
        expect(outcome).toBe(agreed ? 'done' : 'INTERNAL');
        expect(mayRepeat).toHaveBeenCalledTimes(1);
        expect(fixture.shim.count((call) => call.function === 'C_Encrypt' && call.rule === 'abort')).toBe(1);
      }
    } finally {
      await fixture.remove();
    }
  });

  it('is not asked about where it runs out of time, nor where it succeeds', async () => {
    const fixture = await shimmedSoftHsm();
    try {
      const token = await fixture.open({ tokenWorkers: 1, tokenTimeoutMs: 500 });
      const { encryptObject: object } = await createKey(token);
      const job = { object, aad: AAD, plaintext: Buffer.from('data') };
      const mayRepeat = jest.fn(() => true);
      await token.run('encrypt', job, undefined, mayRepeat);
      fixture.shim.set('C_Encrypt hang times=1');
      expect(await refusalOf(token.run('encrypt', job, undefined, mayRepeat))).toBe('TOKEN_TIMEOUT');
      expect(mayRepeat).not.toHaveBeenCalled();
    } finally {
      await fixture.remove();
    }
  });
});
