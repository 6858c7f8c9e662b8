import { randomBytes } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { EXIT, StartError } from '../../src/errors';
import { startToken, type TokenOptions } from '../../src/hsm/token';
import { makings } from '../support/call-log';
import { Driver } from '../support/pkcs11-shim/driver';
import { nss, type ShimmedToken, shimmedSoftHsm, softHsm, type TestToken, until } from '../support/token';
import { AAD, createKey, encrypt, refusalOf } from '../support/token-jobs';

const TOKENS = [
  { name: 'SoftHSM2', make: () => softHsm() },
  { name: 'NSS', make: () => nss() },
];

/** Options of a store that has been on a token before. */
const knownStore = ({ serviceKey }: TestToken): Partial<TokenOptions> => ({
  serviceKey: { ...serviceKey, mayCreate: false },
});

async function refusal(fixture: TestToken, overrides: Partial<TokenOptions>): Promise<StartError> {
  const opened = await fixture.open(overrides).catch((error: unknown) => error);
  if (!(opened instanceof StartError)) throw opened;
  return opened;
}

describe.each(TOKENS)('$name', ({ make }) => {
  let fixture: TestToken;

  beforeEach(async () => {
    fixture = await make();
  });

  afterEach(async () => fixture.remove());

  it('a token without the service key of the store is refused, with the settings to look at', async () => {
    const { message, exitCode } = await refusal(fixture, knownStore(fixture));
    expect(exitCode).toBe(EXIT.failed);
    expect(message).toContain('does not belong to this store');
    expect(message).toContain('P11KMS_TOKEN_LABEL');
    expect(message).toContain('P11KMS_DATA_DIR');
    // Nothing was made of it: the next start finds none either.
    expect((await refusal(fixture, knownStore(fixture))).message).toContain('has 0 objects');
  });

  it('the first start of a store makes its service key, and later ones find it', async () => {
    const first = await fixture.open();
    const keys = await createKey(first);
    const { objects } = await first.run('listObjects', { labelPrefix: fixture.serviceKey.label });
    expect(objects).toEqual([fixture.serviceKey]);
    await first.close(1_000);
    // A start that does not know whether the one before made it.
    const second = await fixture.open();
    expect(await second.run('listObjects', { labelPrefix: fixture.serviceKey.label })).toEqual({ objects });
    await second.close(1_000);
    const third = await fixture.open(knownStore(fixture));
    expect(await refusalOf(encrypt(third, keys, AAD))).toBe('done');
  });

  it('a store of another token is refused', async () => {
    await (await fixture.open()).close(1_000);
    const other = { id: randomBytes(16).toString('hex'), label: 'p11kms/other/service', mayCreate: false };
    expect((await refusal(fixture, { serviceKey: other })).message).toContain(other.id);
  });
});

describe('with the shim', () => {
  let fixture: ShimmedToken;

  beforeEach(async () => {
    fixture = await shimmedSoftHsm();
  });

  afterEach(async () => fixture.remove());

  it('the first start makes exactly one token object, though it starts many workers', async () => {
    await fixture.open({ tokenWorkers: 3, keyPairWorkers: 2 });
    const made = makings(fixture.shim.log()).filter(({ template }) => template.flags.TOKEN);
    expect(made).toHaveLength(1);
    expect(made[0]?.template.flags).toMatchObject({
      ENCRYPT: true,
      DECRYPT: true,
      WRAP: false,
      UNWRAP: false,
    });
  });

  it('a service key that was made though the token said otherwise is found by the next start', async () => {
    await (await fixture.open()).close(1_000);
    const calls = fixture.shim.log().filter((call) => call.function === 'C_GenerateKey');
    const making = calls.findIndex(({ templates }) => templates?.[0]?.flags.TOKEN);
    expect(making).toBeGreaterThanOrEqual(0);

    const serviceKey = { id: randomBytes(16).toString('hex'), label: 'p11kms/new/service' };
    const newStore = { serviceKey: { ...serviceKey, mayCreate: true } };
    fixture.shim.set(`C_GenerateKey fail-after=${p11.CKR_GENERAL_ERROR} skip=${making} times=1`);
    expect((await refusal(fixture, newStore)).message).toContain('C_GenerateKey answered 0x5');
    const token = await fixture.open(newStore);
    const { objects } = await token.run('listObjects', { labelPrefix: serviceKey.label });
    expect(objects).toEqual([serviceKey]);
  });

  it('two objects with its id are refused', async () => {
    await (await fixture.open()).close(1_000);
    const env = { SOFTHSM2_CONF: String(process.env.SOFTHSM2_CONF) };
    const on = await Driver.start(fixture.shim, { env, label: fixture.label, pin: fixture.pin });
    const template = [
      { type: p11.CKA_TOKEN, value: true },
      { type: p11.CKA_ID, value: Buffer.from(fixture.serviceKey.id, 'hex') },
      { type: p11.CKA_VALUE_LEN, value: 32 },
    ];
    await on.call('C_GenerateKey', await on.login(), { mechanism: p11.CKM_AES_KEY_GEN }, template);
    await on.kill();
    expect((await refusal(fixture, knownStore(fixture))).message).toContain('has 2 objects');
  });

  it('that disappears is noticed by the next ping, and by the workers that come after', async () => {
    const token = await fixture.open({ tokenWorkers: 1 });
    // Seen to be gone means nothing without the service key.
    expect(await refusalOf(token.run('destroyObjects', { ids: [fixture.serviceKey.id] }))).toBe(
      'KEY_UNAVAILABLE',
    );
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    await until(
      'no worker is left',
      () => token.stats().lanes[0]?.alive === 0 && token.events.failed.length > 0,
    );
    expect(await refusalOf(token.ping())).toBe('KEY_UNAVAILABLE');
    expect(token.events.failed[0]?.message).toContain('does not belong to this store');
    expect(token.events.fatal).toEqual([]);
  });

  it('without a store there is no service key, and no token object is made', async () => {
    const { serviceKey: _, ...options } = fixture.options();
    const token = await startToken(options);
    expect(makings(fixture.shim.log()).filter(({ template }) => template.flags.TOKEN)).toEqual([]);
    await token.ping();
    await token.close(1_000);
  });
});
