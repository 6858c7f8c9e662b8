import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as p11 from 'pkcs11js';
import { buildShim, createShim, type Shim } from '../support/pkcs11-shim';
import { Driver, type Handle, handleNumber } from '../support/pkcs11-shim/driver';
import { aesKey, codeOf, ecPair, encrypt, gcm, read, rsaPair } from '../support/pkcs11-shim/keys';
import { createSoftHsm, type SoftHsm } from '../support/softhsm';

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

describe('building', () => {
  it('gives every caller the same module, also when several build at once', async () => {
    const built = await Promise.all([buildShim(), buildShim(), buildShim()]);
    expect(new Set(built)).toEqual(new Set([shim.module]));
  });
});

describe('without rules', () => {
  it('passes calls on and logs them', async () => {
    const on = await driver();
    const session = await on.login();
    const key = await aesKey(on, session, [p11.CKA_ENCRYPT, p11.CKA_DECRYPT]);
    const { iv, ciphertext } = await encrypt(on, session, key);
    const mechanism = { mechanism: p11.CKM_AES_GCM, parameter: gcm(Buffer.from(iv)) };
    await on.call('C_DecryptInit', session, mechanism, key);
    const plaintext = await on.call<Uint8Array>('C_Decrypt', session, ciphertext, Buffer.alloc(64));
    expect(Buffer.from(plaintext).toString()).toBe('plaintext');

    const [generated] = shim.log().filter((call) => call.function === 'C_GenerateKey');
    expect(generated).toEqual({
      pid: on.child.pid,
      function: 'C_GenerateKey',
      session: handleNumber(session),
      mechanism: p11.CKM_AES_KEY_GEN,
      created: [handleNumber(key)],
      rv: p11.CKR_OK,
      templates: [
        {
          types: expect.arrayContaining([p11.CKA_VALUE_LEN, p11.CKA_SENSITIVE]),
          flags: {
            ENCRYPT: true,
            DECRYPT: true,
            WRAP: false,
            UNWRAP: false,
            SENSITIVE: true,
            EXTRACTABLE: false,
          },
        },
      ],
    });
    expect(shim.count('C_Encrypt')).toBe(1);
    expect(JSON.stringify(shim.log())).not.toContain(token.pin);
  });

  it('logs the templates of key pairs, objects destroyed and attributes asked for', async () => {
    const on = await driver();
    const session = await on.login();
    const pair = await ecPair(on, session);
    await read(on, session, pair.publicKey, p11.CKA_EC_POINT);
    const refused = read(on, session, pair.privateKey, p11.CKA_VALUE);
    expect(await codeOf(refused)).toBe(p11.CKR_ATTRIBUTE_SENSITIVE);
    await on.call('C_DestroyObject', session, pair.privateKey);

    const log = shim.log();
    const [publicKey, privateKey] = [handleNumber(pair.publicKey), handleNumber(pair.privateKey)];
    const generated = log.find((call) => call.function === 'C_GenerateKeyPair');
    expect(generated?.created).toEqual([publicKey, privateKey]);
    expect(generated?.templates?.[1]?.flags).toEqual({ SIGN: true, SENSITIVE: true, EXTRACTABLE: true });
    const asked = log.filter((call) => call.function === 'C_GetAttributeValue');
    const asksFor = (type: number) => asked.filter((call) => call.types?.includes(type));
    expect(asksFor(p11.CKA_EC_POINT).every((call) => call.objects?.[0] === publicKey)).toBe(true);
    expect(asksFor(p11.CKA_VALUE).map((call) => call.objects)).toContainEqual([privateKey]);
    const destroyed = log.filter((call) => call.function === 'C_DestroyObject');
    expect(destroyed).toMatchObject([{ objects: [privateKey], rv: p11.CKR_OK }]);
  });
});

describe('rules of a function', () => {
  it.each([
    'C_Encypt fail=1',
    'C_Encrypt fail=0',
    'C_Encrypt times=1',
    'C_Encrypt delay=x',
    'C_Encrypt delay',
    'own_iv',
  ])('refuses %s, and keeps the rules there were', async (rule) => {
    shim.set('C_GenerateRandom fail=0x30');
    expect(() => shim.set(rule)).toThrow('bad rule');
    const on = await driver();
    const session = await on.openSession();
    expect(await codeOf(on.call('C_GenerateRandom', session, Buffer.alloc(8)))).toBe(0x30);
  });

  it('delays a call, of a running process too, until the rule goes', async () => {
    const on = await driver();
    const session = await on.openSession();
    const timed = async () => {
      const start = performance.now();
      await on.call('C_GenerateRandom', session, Buffer.alloc(8));
      return performance.now() - start;
    };
    shim.set('C_GenerateRandom delay=300');
    expect(await timed()).toBeGreaterThanOrEqual(299);
    shim.clear();
    expect(await timed()).toBeLessThan(250);
  });

  it('fails a call without making it, or after it', async () => {
    const on = await driver();
    const session = await on.login();
    shim.set('C_GenerateKey fail=0x30 times=1', 'C_GenerateKey fail-after=0x32 times=1');
    expect(await codeOf(aesKey(on, session, []))).toBe(0x30);
    expect(await codeOf(aesKey(on, session, []))).toBe(0x32);
    expect(await codeOf(aesKey(on, session, []))).toBe(p11.CKR_OK);
    const [before, after] = shim.log().filter((call) => call.function === 'C_GenerateKey');
    expect(before).toMatchObject({ rule: 'fail', rv: 0x30 });
    expect(before?.created).toBeUndefined();
    expect(after).toMatchObject({ rule: 'fail-after', rv: 0x32, created: [expect.any(Number)] });
    await on.call('C_FindObjectsInit', session, []);
    const found = await on.call<Handle[]>('C_FindObjects', session, 10);
    expect(found).toHaveLength(2);
    expect(found.map(handleNumber)).toContain(after?.created?.[0]);
  });

  it('heeds the mechanism', async () => {
    const on = await driver();
    const session = await on.login();
    shim.set(`C_GenerateKeyPair mechanism=${p11.CKM_RSA_PKCS_KEY_PAIR_GEN} fail=0x30`);
    expect(await codeOf(ecPair(on, session))).toBe(p11.CKR_OK);
    expect(await codeOf(rsaPair(on, session))).toBe(0x30);
  });

  it('counts skip and times exactly, over all processes', async () => {
    const both = [await driver(), await driver()];
    const sessions = await Promise.all(both.map((on) => on.openSession()));
    const calls = async () => {
      const perProcess = both.map(async (on, i) => {
        const codes: number[] = [];
        for (let n = 0; n < 50; n++) {
          codes.push(await codeOf(on.call('C_GenerateRandom', sessions[i], Buffer.alloc(8))));
        }
        return codes;
      });
      return (await Promise.all(perProcess)).map((codes) => codes.filter((code) => code !== 0).length);
    };
    const rule = 'C_GenerateRandom fail=0x30 skip=20 times=37';
    for (let round = 0; round < 2; round++) {
      shim.set(rule);
      const failed = await calls();
      expect(failed.reduce((sum, each) => sum + each, 0)).toBe(37);
    }
    shim.set(`${rule} per-process`);
    expect(await calls()).toEqual([30, 30]);
  });

  it('hangs one call of all processes, beyond everything but SIGKILL', async () => {
    const both = [await driver(), await driver()];
    const [hung, well] = both as [Driver, Driver];
    const [first, second] = await Promise.all(both.map((on) => on.openSession()));
    shim.set('C_GenerateRandom hang times=1');
    const never = codeOf(hung.call('C_GenerateRandom', first, Buffer.alloc(8)));
    const hangs = (call: { rule?: string }) => call.rule === 'hang';
    while (shim.count(hangs) === 0) await sleep(10);
    expect(shim.log().find(hangs)?.rv).toBeUndefined();
    expect(await codeOf(well.call('C_GenerateRandom', second, Buffer.alloc(8)))).toBe(p11.CKR_OK);
    hung.child.kill('SIGTERM');
    hung.child.kill('SIGINT');
    await sleep(200);
    expect([hung.child.exitCode, hung.child.signalCode]).toEqual([null, null]);
    hung.child.kill('SIGKILL');
    await once(hung.child, 'exit');
    expect(hung.child.signalCode).toBe('SIGKILL');
    expect(await never).toBe(-1);
  });

  it('aborts the process', async () => {
    const on = await driver();
    const session = await on.openSession();
    shim.set('C_GenerateRandom abort');
    expect(await codeOf(on.call('C_GenerateRandom', session, Buffer.alloc(8)))).toBe(-1);
    expect(on.child.signalCode).toBe('SIGABRT');
    expect(shim.log().at(-1)).toMatchObject({ function: 'C_GenerateRandom', rule: 'abort' });
  });
});
