import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { createShim, type Shim } from '../support/pkcs11-shim';
import { Driver, type Handle } from '../support/pkcs11-shim/driver';
import { aesKey, codeOf, ecPair, encrypt, gcm, open, read, rsaPair } from '../support/pkcs11-shim/keys';
import { createSoftHsm, type SoftHsm } from '../support/softhsm';

const { CKA_DECRYPT, CKA_ENCRYPT, CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_SENSITIVE } = p11;
const { CKA_TOKEN, CKA_UNWRAP, CKA_VALUE, CKA_WRAP, CKA_CLASS } = p11;
const CKF_WRAP_AND_UNWRAP = p11.CKF_WRAP | p11.CKF_UNWRAP;
const FALSE = Buffer.from([0]);
const TRUE = Buffer.from([1]);

interface Wrapped {
  readonly iv: Uint8Array;
  readonly wrapped: Uint8Array;
}

let token: SoftHsm;
let shim: Shim;
let on: Driver;
let session: Handle;

beforeEach(async () => {
  token = createSoftHsm();
  shim = await createShim(token.directory);
  shim.set('gcm-wrap');
  on = await Driver.start(shim, token);
  session = await on.login();
});

afterEach(async () => {
  token.remove();
  await on.kill();
});

const WRAPPING = [CKA_WRAP, CKA_UNWRAP];

/** An AES key of known bytes, made as a wrapping key. */
function importKey(bytes: Buffer): Promise<Handle> {
  return on.call('C_CreateObject', session, [
    { type: CKA_CLASS, value: p11.CKO_SECRET_KEY },
    { type: CKA_KEY_TYPE, value: p11.CKK_AES },
    { type: CKA_VALUE, value: bytes },
    { type: CKA_SENSITIVE, value: true },
    { type: CKA_ENCRYPT, value: false },
    { type: CKA_DECRYPT, value: false },
    { type: CKA_WRAP, value: true },
    { type: CKA_UNWRAP, value: true },
  ]);
}

function secret(bytes: Buffer): Promise<Handle> {
  return on.call('C_CreateObject', session, [
    { type: CKA_CLASS, value: p11.CKO_SECRET_KEY },
    { type: CKA_KEY_TYPE, value: p11.CKK_GENERIC_SECRET },
    { type: CKA_VALUE, value: bytes },
    { type: CKA_SENSITIVE, value: true },
    { type: CKA_EXTRACTABLE, value: true },
  ]);
}

const wrap = (wrappingKey: Handle, key: Handle, iv = randomBytes(12), room = 8192) =>
  on.call<Wrapped>('wrapGcm', session, wrappingKey, gcm(iv), key, room);

function unwrap(
  key: Handle,
  { iv, wrapped }: Wrapped,
  template: p11.Template,
  aad?: Buffer,
): Promise<Handle> {
  const mechanism = { mechanism: p11.CKM_AES_GCM, parameter: gcm(Buffer.from(iv), aad) };
  return on.call('C_UnwrapKey', session, mechanism, key, wrapped, template);
}

const privateKey = (type: number, sensitive = true): p11.Template => [
  { type: CKA_CLASS, value: p11.CKO_PRIVATE_KEY },
  { type: CKA_KEY_TYPE, value: type },
  { type: CKA_TOKEN, value: false },
  { type: CKA_SENSITIVE, value: sensitive },
  { type: CKA_EXTRACTABLE, value: true },
  { type: p11.CKA_SIGN, value: true },
];

const plainSecret: p11.Template = [
  { type: CKA_CLASS, value: p11.CKO_SECRET_KEY },
  { type: CKA_KEY_TYPE, value: p11.CKK_GENERIC_SECRET },
  { type: CKA_SENSITIVE, value: false },
  { type: CKA_EXTRACTABLE, value: true },
];

/** How many objects the process sees. */
async function objects(): Promise<number> {
  await on.call('C_FindObjectsInit', session, []);
  const found = await on.call<Handle[]>('C_FindObjects', session, 1000);
  await on.call('C_FindObjectsFinal', session);
  return found.length;
}

describe('gcm-wrap', () => {
  it('is among the mechanisms only when it is on', async () => {
    const slot = await on.findSlot();
    const flags = async () =>
      (await on.call<{ flags: number }>('C_GetMechanismInfo', slot, p11.CKM_AES_GCM)).flags;
    expect((await flags()) & CKF_WRAP_AND_UNWRAP).toBe(CKF_WRAP_AND_UNWRAP);
    const key = await aesKey(on, session, WRAPPING);
    const pair = await ecPair(on, session);
    shim.clear();
    expect((await flags()) & CKF_WRAP_AND_UNWRAP).toBe(0);
    expect(await codeOf(wrap(key, pair.privateKey))).toBe(p11.CKR_MECHANISM_INVALID);
  });

  it.each([1, 15, 16, 20, 32, 100])(
    'wraps a secret of %i bytes so that node:crypto opens it, and back',
    async (n) => {
      const kek = randomBytes(32);
      const bytes = randomBytes(n);
      const key = await importKey(kek);
      const iv = randomBytes(12);
      const result = await wrap(key, await secret(bytes), iv);
      expect(Buffer.from(result.iv)).toEqual(iv);
      expect(result.wrapped).toHaveLength(n + 16);
      expect(open(kek, iv, result.wrapped)).toEqual(bytes);
      const back = await unwrap(key, result, plainSecret);
      expect(await read(on, session, back, CKA_VALUE)).toEqual([bytes]);
    },
  );

  it('wraps an EC private key as exact PKCS#8, and unwraps it to one that signs', async () => {
    const kek = randomBytes(32);
    const key = await importKey(kek);
    const pair = await ecPair(on, session);
    const [point] = await read(on, session, pair.publicKey, p11.CKA_EC_POINT);
    const result = await wrap(key, pair.privateKey);
    const pkcs8 = open(kek, result.iv, result.wrapped);
    expect(pkcs8.length).toBe(2 + (pkcs8[1] ?? 0));
    const read8 = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey(read8);
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    expect(spki.subarray(-65)).toEqual(point?.subarray(2));

    const back = await unwrap(key, result, privateKey(p11.CKK_EC));
    const digest = randomBytes(32);
    await on.call('C_SignInit', session, { mechanism: p11.CKM_ECDSA }, back);
    const signature = await on.call<Uint8Array>('C_Sign', session, digest, Buffer.alloc(64));
    await on.call('C_VerifyInit', session, { mechanism: p11.CKM_ECDSA }, pair.publicKey);
    await on.call('C_Verify', session, digest, signature);
  });

  it('wraps an RSA private key as exact PKCS#8, and unwraps it', async () => {
    const kek = randomBytes(32);
    const key = await importKey(kek);
    const pair = await rsaPair(on, session);
    const result = await wrap(key, pair.privateKey);
    const pkcs8 = open(kek, result.iv, result.wrapped);
    expect(pkcs8.length).toBe(4 + pkcs8.readUInt16BE(2));
    const own = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const data = Buffer.from('data');
    expect(verify('sha256', data, createPublicKey(own), sign('sha256', data, own))).toBe(true);

    const back = await unwrap(key, result, privateKey(p11.CKK_RSA));
    const [modulus] = await read(on, session, pair.publicKey, p11.CKA_MODULUS);
    expect(await read(on, session, back, p11.CKA_MODULUS, CKA_SENSITIVE)).toEqual([modulus, TRUE]);
  });

  it('refuses what was tampered with', async () => {
    const key = await aesKey(on, session, WRAPPING);
    const result = await wrap(key, await secret(randomBytes(32)));
    const bent = Buffer.from(result.wrapped);
    bent[5] = (bent[5] ?? 0) ^ 1;
    const invalid = p11.CKR_WRAPPED_KEY_INVALID;
    expect(await codeOf(unwrap(key, { ...result, wrapped: bent }, plainSecret))).toBe(invalid);
    const short = { ...result, wrapped: result.wrapped.subarray(0, 3) };
    expect(await codeOf(unwrap(key, short, plainSecret))).toBe(invalid);
    expect(await codeOf(unwrap(key, result, plainSecret, Buffer.from('other')))).toBe(invalid);
    expect(await codeOf(unwrap(key, result, plainSecret))).toBe(p11.CKR_OK);
  });

  it('does not wrap what is not extractable, nor with a key that may not', async () => {
    const key = await aesKey(on, session, WRAPPING);
    const sealed = await ecPair(on, session, false);
    expect(await codeOf(wrap(key, sealed.privateKey))).toBe(p11.CKR_KEY_UNEXTRACTABLE);
    const encrypts = await aesKey(on, session, [CKA_ENCRYPT, CKA_DECRYPT]);
    const target = await secret(randomBytes(32));
    const refused = p11.CKR_KEY_FUNCTION_NOT_PERMITTED;
    expect(await codeOf(wrap(encrypts, target))).toBe(refused);
    expect(await codeOf(unwrap(encrypts, await wrap(key, target), plainSecret))).toBe(refused);
    expect(await codeOf(wrap(key, target, undefined, 20))).toBe(p11.CKR_BUFFER_TOO_SMALL);
  });

  it('does not show that the wrapping key could encrypt, in this process or another', async () => {
    const uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP];
    const key = await aesKey(on, session, WRAPPING, { [CKA_TOKEN]: true });
    expect(await read(on, session, key, ...uses)).toEqual([FALSE, FALSE, TRUE, TRUE]);
    const refused = p11.CKR_KEY_FUNCTION_NOT_PERMITTED;
    expect(await codeOf(encrypt(on, session, key))).toBe(refused);
    const [logged] = shim.log().filter((call) => call.function === 'C_GenerateKey');
    expect(logged?.templates?.[0]?.flags).toMatchObject({ ENCRYPT: false, DECRYPT: false });

    const other = await Driver.start(shim, token);
    try {
      const there = await other.login();
      await other.call('C_FindObjectsInit', there, [{ type: CKA_WRAP, value: true }]);
      const [found = Buffer.alloc(8)] = await other.call<Handle[]>('C_FindObjects', there, 10);
      await other.call('C_FindObjectsFinal', there);
      expect(await read(other, there, found, ...uses)).toEqual([FALSE, FALSE, TRUE, TRUE]);
      expect(await codeOf(encrypt(other, there, found))).toBe(refused);
      const init = { mechanism: p11.CKM_AES_GCM, parameter: gcm(randomBytes(12)) };
      expect(await codeOf(other.call('C_DecryptInit', there, init, found))).toBe(refused);
    } finally {
      await other.kill();
    }
  });

  it('shows it where the caller asked for it', async () => {
    const key = await aesKey(on, session, [CKA_WRAP, CKA_DECRYPT]);
    expect(await read(on, session, key, CKA_ENCRYPT, CKA_DECRYPT)).toEqual([FALSE, TRUE]);
  });

  it('works where the token has no other way to wrap, and leaves nothing behind', async () => {
    shim.set('gcm-wrap hide=0x2109,0x210A');
    const key = await aesKey(on, session, WRAPPING);
    const pair = await ecPair(on, session);
    const before = await objects();
    const back = await unwrap(key, await wrap(key, pair.privateKey), privateKey(p11.CKK_EC));
    expect(await objects()).toBe(before + 1);
    await on.call('C_DestroyObject', session, back);
    const result = await wrap(key, pair.privateKey);
    await codeOf(unwrap(key, { ...result, wrapped: randomBytes(99) }, plainSecret));
    expect(await objects()).toBe(before);
  });

  it('leaves an operation of the session alone', async () => {
    const key = await aesKey(on, session, WRAPPING);
    const target = await secret(randomBytes(32));
    await on.call('C_FindObjectsInit', session, []);
    await unwrap(key, await wrap(key, target), plainSecret);
    expect(await on.call<Handle[]>('C_FindObjects', session, 100)).toContainEqual(key);
  });
});

describe('own-iv', () => {
  beforeEach(() => shim.set('gcm-wrap own-iv'));

  it('encrypts under an IV of its own, which the caller has once there is a ciphertext', async () => {
    const key = await aesKey(on, session, [CKA_ENCRYPT, CKA_DECRYPT]);
    const zeros = Buffer.alloc(12);
    const first = await encrypt(on, session, key, zeros);
    const second = await encrypt(on, session, key, zeros);
    expect(Buffer.from(first.afterInit)).toEqual(zeros);
    expect(Buffer.from(first.iv)).not.toEqual(zeros);
    expect(Buffer.from(first.iv)).not.toEqual(Buffer.from(second.iv));
    for (const { iv, ciphertext } of [first, second]) {
      const mechanism = { mechanism: p11.CKM_AES_GCM, parameter: gcm(Buffer.from(iv)) };
      await on.call('C_DecryptInit', session, mechanism, key);
      const plaintext = await on.call<Uint8Array>('C_Decrypt', session, ciphertext, Buffer.alloc(99));
      expect(Buffer.from(plaintext).toString()).toBe('plaintext');
    }
  });

  it('wraps under an IV of its own', async () => {
    const kek = randomBytes(32);
    const bytes = randomBytes(32);
    const key = await importKey(kek);
    const zeros = Buffer.alloc(12);
    const result = await wrap(key, await secret(bytes), zeros);
    expect(Buffer.from(result.iv)).not.toEqual(zeros);
    expect(open(kek, result.iv, result.wrapped)).toEqual(bytes);
    const back = await unwrap(key, result, plainSecret);
    expect(await read(on, session, back, CKA_VALUE)).toEqual([bytes]);
  });

  it('wants room for 12 bytes', async () => {
    const key = await aesKey(on, session, [CKA_ENCRYPT, CKA_DECRYPT]);
    expect(await codeOf(encrypt(on, session, key, Buffer.alloc(16)))).toBe(p11.CKR_MECHANISM_PARAM_INVALID);
  });
});
