import * as p11 from 'pkcs11js';
import { createShim, type Shim } from '../support/pkcs11-shim';
import { Driver, type Handle } from '../support/pkcs11-shim/driver';
import { aesKey, codeOf, ecPair, encrypt } from '../support/pkcs11-shim/keys';
import { createSoftHsm, type SoftHsm } from '../support/softhsm';

const KWP = 0x210a;
const CKF_TOKEN_PRESENT = 1;

let token: SoftHsm;
let shim: Shim;
let drivers: Driver[] = [];

async function driver(): Promise<Driver> {
  const started = await Driver.start(shim, token);
  drivers.push(started);
  return started;
}

beforeEach(async () => {
  token = createSoftHsm();
  shim = await createShim(token.directory);
});

afterEach(async () => {
  for (const each of drivers) await each.kill();
  drivers = [];
  token.remove();
});

describe('lost sessions', () => {
  it('invalidates all open sessions of all processes, not those opened later', async () => {
    const both = [await driver(), await driver()];
    for (let round = 0; round < 2; round++) {
      // One after the other: SoftHSM may refuse two that log in at once.
      const sessions: Handle[] = [];
      for (const on of both) sessions.push(await on.login());
      shim.invalidate();
      shim.clear();
      for (const [i, on] of both.entries()) {
        expect(await codeOf(aesKey(on, sessions[i] as Handle, []))).toBe(p11.CKR_SESSION_HANDLE_INVALID);
        const close = on.call('C_CloseSession', sessions[i]);
        expect(await codeOf(close)).toBe(p11.CKR_SESSION_HANDLE_INVALID);
      }
    }
    const on = both[0] as Driver;
    const session = await on.openSession();
    // The login went with the sessions that held it.
    expect(await codeOf(aesKey(on, session, []))).toBe(p11.CKR_USER_NOT_LOGGED_IN);
    await on.call('C_Login', session, 1, token.pin);
    expect(await codeOf(aesKey(on, session, []))).toBe(p11.CKR_OK);
  });

  it('invalidates all that a running process opens, not what a new one does', async () => {
    const old = await driver();
    await old.openSession();
    shim.invalidate('processes');
    const session = await old.openSession();
    expect(await codeOf(old.call('C_GenerateRandom', session, Buffer.alloc(8)))).toBe(
      p11.CKR_SESSION_HANDLE_INVALID,
    );
    const young = await driver();
    expect(await codeOf(aesKey(young, await young.login(), []))).toBe(p11.CKR_OK);
  });

  it('limits the sessions of a process', async () => {
    const both = [await driver(), await driver()];
    shim.set('max-sessions=2');
    for (const on of both) {
      const session = await on.openSession();
      await on.openSession();
      expect(await codeOf(on.openSession())).toBe(p11.CKR_SESSION_COUNT);
      await on.call('C_CloseSession', session);
      expect(await codeOf(on.openSession())).toBe(p11.CKR_OK);
    }
  });
});

describe('the token', () => {
  it('goes away and comes back', async () => {
    const on = await driver();
    const slot = await on.findSlot();
    const session = await on.openSession();
    const random = () => codeOf(on.call('C_GenerateRandom', session, Buffer.alloc(8)));
    shim.set('token-away');
    expect(await on.call('C_GetSlotList', true)).toEqual([]);
    expect(await codeOf(on.call('C_OpenSession', slot, 6))).toBe(p11.CKR_TOKEN_NOT_PRESENT);
    expect(await codeOf(on.call('C_GetTokenInfo', slot))).toBe(p11.CKR_TOKEN_NOT_PRESENT);
    expect(await random()).toBe(p11.CKR_TOKEN_NOT_PRESENT);
    const away = await on.call<{ flags: number }>('C_GetSlotInfo', slot);
    expect(away.flags & CKF_TOKEN_PRESENT).toBe(0);
    shim.set(`token-away=${p11.CKR_DEVICE_REMOVED}`);
    expect(await random()).toBe(p11.CKR_DEVICE_REMOVED);
    shim.clear();
    expect(await random()).toBe(p11.CKR_OK);
    expect(await on.findSlot()).toEqual(slot);
  });

  it('says of itself what the rules say', async () => {
    const on = await driver();
    const slot = await on.findSlot();
    const before = await on.call<p11.TokenInfo>('C_GetTokenInfo', slot);
    shim.set(
      `set-flags=${p11.CKF_USER_PIN_FINAL_TRY | p11.CKF_USER_PIN_COUNT_LOW} clear-flags=${p11.CKF_RNG}`,
      'free-private-memory=0 total-private-memory=4096 session-count=3 max-session-count=4',
    );
    expect(await on.call<p11.TokenInfo>('C_GetTokenInfo', slot)).toEqual({
      ...before,
      flags: (before.flags & ~p11.CKF_RNG) | p11.CKF_USER_PIN_FINAL_TRY | p11.CKF_USER_PIN_COUNT_LOW,
      freePrivateMemory: 0n,
      totalPrivateMemory: 4096n,
      sessionCount: 3,
      maxSessionCount: 4,
      utcTime: expect.any(String),
    });
  });

  it('hides mechanisms', async () => {
    const on = await driver();
    const slot = await on.findSlot();
    const session = await on.login();
    const key = await aesKey(on, session, [p11.CKA_WRAP, p11.CKA_ENCRYPT]);
    const pair = await ecPair(on, session);
    const uses = async () => [
      await codeOf(on.call('C_GetMechanismInfo', slot, KWP)),
      await codeOf(
        on.call('C_WrapKey', session, { mechanism: KWP }, key, pair.privateKey, Buffer.alloc(999)),
      ),
      await codeOf(encrypt(on, session, key)),
      await codeOf(aesKey(on, session, [])),
    ];
    expect(await uses()).toEqual([0, 0, 0, 0]);
    const before = await on.call<number[]>('C_GetMechanismList', slot);
    expect(before).toEqual(expect.arrayContaining([KWP, p11.CKM_AES_GCM]));
    shim.set(`hide=0x210A,${p11.CKM_AES_GCM}`);
    const after = await on.call<number[]>('C_GetMechanismList', slot);
    expect(after).toEqual(before.filter((type) => type !== KWP && type !== p11.CKM_AES_GCM));
    const invalid = p11.CKR_MECHANISM_INVALID;
    expect(await uses()).toEqual([invalid, invalid, invalid, 0]);
  });
});
