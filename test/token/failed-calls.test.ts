import { randomBytes } from 'node:crypto';
import * as p11 from 'pkcs11js';
import { sessionObjectsLeft } from '../support/call-log';
import { type OpenToken, type ShimmedToken, shimmedNss, shimmedSoftHsm, until } from '../support/token';
import {
  AAD,
  createKey,
  decrypt,
  encrypt,
  exportPair,
  generatePair,
  type KeyObjects,
  type Pair,
  refusalOf,
  type Sealed,
} from '../support/token-jobs';

const { CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_ERROR } = p11;

/** What the jobs work on. */
interface Work {
  readonly token: OpenToken;
  readonly keys: KeyObjects;
  readonly pair: Pair;
  readonly sealed: Sealed;
}

type Job = (work: Work) => Promise<unknown>;

const dataKey: Job = ({ token, keys }) =>
  token.run('generateDataKey', { object: keys.encryptObject, aad: AAD, bytes: 32, withPlaintext: true });

const makeAndDestroy: Job = async ({ token }) => {
  const keys = await createKey(token, 'spare');
  await token.run('destroyObjects', { ids: Object.values(keys) });
};

const JOBS: [string, Job][] = [
  ['generateKeyPair, EC', ({ token, keys }) => generatePair(token, keys, 'ECC_NIST_P256')],
  ['exportPrivateKey', ({ token, keys, pair }) => exportPair(token, keys, pair)],
  ['encrypt', ({ token, keys }) => encrypt(token, keys, randomBytes(40))],
  ['decrypt', ({ token, keys, sealed }) => decrypt(token, keys, sealed)],
  ['generateDataKey', dataKey],
  ['generateRandom', ({ token }) => token.run('generateRandom', { bytes: 32 })],
  ['createKeyObjects and destroyObjects', makeAndDestroy],
  ['listObjects', ({ token }) => token.run('listObjects', { labelPrefix: 'p11kms/' })],
  ['ping', ({ token }) => token.ping()],
];

const TOKENS = [
  { name: 'SoftHSM2', make: () => shimmedSoftHsm(), rules: [], jobs: JOBS },
  {
    name: 'a token whose AES-GCM wraps',
    make: () => shimmedSoftHsm('gcm-wrap'),
    rules: ['gcm-wrap'],
    jobs: JOBS.slice(0, 2),
  },
  // NSS takes its time to make token objects.
  {
    name: 'NSS',
    make: () => shimmedNss(),
    rules: [],
    jobs: JOBS.filter(([, job]) => job !== makeAndDestroy),
  },
];

describe.each(TOKENS)('$name', ({ make, rules, jobs }) => {
  let fixture: ShimmedToken;
  let work: Work;
  let before: string[];

  beforeAll(async () => {
    fixture = await make();
    const token = await fixture.open({ tokenWorkers: 1 });
    const keys = await createKey(token);
    const pair = await generatePair(token, keys, 'ECC_NIST_P256');
    work = { token, keys, pair, sealed: await encrypt(token, keys, randomBytes(40)) };
    before = await objects();
  });

  afterAll(async () => fixture.remove());

  async function objects(): Promise<string[]> {
    const { objects: found } = await work.token.run('listObjects', { labelPrefix: 'p11kms/' });
    return found.map(({ label }) => label).sort();
  }

  /** Does the job as often as it makes calls, and lets one call after the other fail. */
  async function failEach(job: Job, action: string, after: (answer: string, call: string) => Promise<void>) {
    const { shim } = fixture;
    await job(work);
    shim.clearLog();
    await job(work);
    const calls = shim.log().map((call) => call.function);
    expect(calls.length).toBeGreaterThan(0);
    for (const [index, call] of calls.entries()) {
      shim.set(...rules, `* ${action} skip=${index} times=1`);
      const answer = await refusalOf(job(work));
      shim.set(...rules);
      await after(answer, `${call}, call ${index + 1} of ${calls.length}`);
    }
  }

  describe.each(jobs)('%s', (_, job) => {
    it.each([
      ['fails', `fail=${CKR_GENERAL_ERROR}`],
      ['takes effect and fails', `fail-after=${CKR_GENERAL_ERROR}`],
    ])('a call that %s leaves nothing behind and costs no worker', async (_, action) => {
      const pids = work.token.pids();
      await failEach(job, action, async (answer, call) => {
        // A bad ciphertext is what the token says of one that it could not open.
        expect([call, answer]).toEqual([call, expect.stringMatching(/^(done|INTERNAL|INVALID_CIPHERTEXT)$/)]);
        expect([call, await refusalOf(job(work))]).toEqual([call, 'done']);
        expect([call, sessionObjectsLeft(fixture.shim.log())]).toEqual([call, []]);
      });
      expect(work.token.pids()).toEqual(pids);
      // Whatever a job could not destroy, it was told to destroy again and did.
      expect(await spare()).toEqual([]);
      expect(await objects()).toEqual(before);
    });
  });

  /** Destroys what makeAndDestroy could not destroy, and says what is left. */
  async function spare(): Promise<string[]> {
    const found = await work.token.run('listObjects', { labelPrefix: 'p11kms/test/spare/' });
    await work.token.run('destroyObjects', { ids: found.objects.map(({ id }) => id) });
    return (await objects()).filter((label) => label.includes('/spare/'));
  }

  it.each(jobs.filter(([name]) => /Pair|Private|^encrypt|ping/.test(name)))(
    '%s: a device error at any call costs a worker and no job',
    async (_, job) => {
      await failEach(job, `fail=${CKR_DEVICE_ERROR}`, async (answer, call) => {
        expect([call, answer]).toEqual([call, 'done']);
        await until('all workers are back', () => work.token.pids().length === 2);
        expect([call, sessionObjectsLeft(fixture.shim.log())]).toEqual([call, []]);
      });
      expect(new Set(work.token.events.ended.map(({ reason }) => reason))).toEqual(new Set(['lost']));
    },
  );

  it('what the token said is the cause of the error, for the log', async () => {
    fixture.shim.set(...rules, `C_EncryptInit fail=${CKR_FUNCTION_FAILED} times=1`);
    const failed = encrypt(work.token, work.keys, AAD);
    await expect(failed).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.not.stringContaining('C_'),
      cause: { code: CKR_FUNCTION_FAILED, message: 'C_EncryptInit answered 0x6' },
    });
    fixture.shim.set(...rules, `C_Encrypt fail=${CKR_FUNCTION_FAILED} times=1`);
    await expect(encrypt(work.token, work.keys, AAD)).rejects.toMatchObject({
      cause: { message: 'C_Encrypt answered 0x6' },
    });
    fixture.shim.set(...rules);
  });
});
