import { type OpenToken, type ShimmedToken, shimmedSoftHsm, until } from '../support/token';
import { AAD, createKey, encrypt, generatePair, type KeyObjects, refusalOf } from '../support/token-jobs';

let fixture: ShimmedToken;
let token: OpenToken;
let keys: KeyObjects;

beforeEach(async () => {
  fixture = await shimmedSoftHsm();
});

afterEach(async () => fixture.remove());

const count = (answers: string[], wanted: string) => answers.filter((answer) => answer === wanted).length;

it('a full lane refuses at once, and what waits in it is done', async () => {
  token = await fixture.open({ tokenWorkers: 1, queue: 5 });
  keys = await createKey(token);
  await encrypt(token, keys, AAD);
  fixture.shim.set('C_Encrypt delay=300');
  const settled: string[] = [];
  const jobs = Array.from({ length: 10 }, () =>
    refusalOf(encrypt(token, keys, AAD)).then((answer) => {
      settled.push(answer);
      return answer;
    }),
  );
  expect(token.stats().lanes[0]).toEqual({ name: 'token', alive: 1, busy: 1, depth: 5 });
  const answers = await Promise.all(jobs);
  expect([count(answers, 'done'), count(answers, 'THROTTLED')]).toEqual([6, 4]);
  // The refusals came before the first answer, which takes 300 ms.
  expect(settled.slice(0, 4)).toEqual(Array(4).fill('THROTTLED'));
});

it('what waits longer than the deadline is told so and not done', async () => {
  token = await fixture.open({ tokenWorkers: 1, tokenTimeoutMs: 3_000 });
  keys = await createKey(token);
  await encrypt(token, keys, AAD);
  fixture.shim.set('C_Encrypt delay=2000');
  fixture.shim.clearLog();
  const answers = await Promise.all(Array.from({ length: 5 }, () => refusalOf(encrypt(token, keys, AAD))));
  // The first is at work at once and the second two seconds later; the others wait in vain.
  expect(answers).toEqual(['done', 'done', 'TOKEN_TIMEOUT', 'TOKEN_TIMEOUT', 'TOKEN_TIMEOUT']);
  expect(fixture.shim.count('C_Encrypt')).toBe(2);
  expect(token.events.ended).toEqual([]);
});

it('key pairs that take long delay nothing else', async () => {
  token = await fixture.open({ tokenWorkers: 1 });
  keys = await createKey(token);
  fixture.shim.set('C_GenerateKeyPair delay=1500');
  const order: string[] = [];
  const pair = generatePair(token, keys, 'ECC_NIST_P256').then(() => order.push('key pair'));
  await until('the pair is being generated', () => token.stats().lanes[1]?.busy === 1);
  for (let done = 0; done < 20; done++) await encrypt(token, keys, AAD);
  order.push('20 encryptions');
  await pair;
  expect(order).toEqual(['20 encryptions', 'key pair']);
});

it('a ping goes past a full queue', async () => {
  token = await fixture.open({ tokenWorkers: 1, queue: 5 });
  keys = await createKey(token);
  fixture.shim.set('C_Encrypt delay=300');
  const order: string[] = [];
  const jobs = Array.from({ length: 6 }, () => encrypt(token, keys, AAD).then(() => order.push('job')));
  await token.ping().then(() => order.push('ping'));
  await Promise.all(jobs);
  expect(order).toEqual(['job', 'ping', 'job', 'job', 'job', 'job', 'job']);
});

it('a job that nobody waits for any more is not begun', async () => {
  token = await fixture.open({ tokenWorkers: 1 });
  keys = await createKey(token);
  await encrypt(token, keys, AAD);
  fixture.shim.set('C_Encrypt delay=300');
  fixture.shim.clearLog();
  let gone = false;
  const input = { object: keys.encryptObject, aad: AAD, plaintext: AAD };
  const jobs = [false, true, true, false].map((leaves) =>
    refusalOf(token.run('encrypt', input, { tokenMs: 0, isGone: () => leaves && gone })),
  );
  gone = true;
  expect(await Promise.all(jobs)).toEqual(['done', 'THROTTLED', 'THROTTLED', 'done']);
  expect(fixture.shim.count('C_Encrypt')).toBe(2);
});

it('tells which lane did what, and how it ended', async () => {
  token = await fixture.open();
  keys = await createKey(token);
  await generatePair(token, keys, 'ECC_NIST_P256');
  const meter = { tokenMs: 0 };
  fixture.shim.set('C_GenerateRandom delay=50');
  await token.run('generateRandom', { bytes: 8 }, meter);
  expect(meter.tokenMs).toBeGreaterThanOrEqual(45);
  await refusalOf(token.run('encrypt', { object: '00'.repeat(16), aad: AAD, plaintext: AAD }));
  expect(token.events.jobs).toMatchObject([
    { job: 'createKeyObjects', lane: 'token', outcome: 'ok' },
    { job: 'generateKeyPair', lane: 'key-pairs', outcome: 'ok' },
    { job: 'generateRandom', lane: 'token', outcome: 'ok' },
    { job: 'encrypt', lane: 'token', outcome: 'KEY_UNAVAILABLE' },
  ]);
});
