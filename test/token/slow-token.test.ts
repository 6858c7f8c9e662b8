import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type OpenToken, type ShimmedToken, shimmedSoftHsm } from '../support/token';
import { createKey, decrypt, encrypt, type KeyObjects } from '../support/token-jobs';

const WORKERS = 8;
const JOBS = 10_000;
/** So many callers at once: twice as many as can be served. */
const CALLERS = 2 * WORKERS;

let fixture: ShimmedToken;
let token: OpenToken;
let keys: KeyObjects;

beforeEach(async () => {
  process.env.NODE_OPTIONS = `--require=${join(__dirname, '../support/collect-garbage.cjs')}`;
  fixture = await shimmedSoftHsm('own-iv');
  token = await fixture.open({ tokenWorkers: WORKERS });
  keys = await createKey(token);
});

afterEach(async () => {
  await fixture.remove();
  delete process.env.NODE_OPTIONS;
});

/** Plaintexts of all sizes, which anybody can make again. */
const plaintext = (seed: Buffer, index: number): Buffer =>
  createHash('shake256', { outputLength: 1 + (index % 500) })
    .update(seed)
    .update(String(index))
    .digest();

it('10,000 encryptions by a token that takes 5 ms a call, with garbage collected all the time, all decrypt', async () => {
  const seed = randomBytes(16);
  const wrong: number[] = [];
  let next = 0;
  fixture.shim.set('own-iv', 'C_Encrypt delay=5');
  const caller = async () => {
    for (let index = next++; index < JOBS; index = next++) {
      const sealed = await encrypt(token, keys, plaintext(seed, index));
      const opened = await decrypt(token, keys, sealed);
      if (!opened.equals(plaintext(seed, index))) wrong.push(index);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  expect(wrong).toEqual([]);
  expect(token.events.jobs.filter(({ outcome }) => outcome === 'ok')).toHaveLength(2 * JOBS + 1);
  expect(token.events.ended).toEqual([]);
  expect(token.pids()).toHaveLength(WORKERS + 1);
  // Four calls a round trip, each followed by a collection; a worker prints only whole thousands.
  expect(token.events.output.length).toBeGreaterThanOrEqual((4 * JOBS) / 1_000 - WORKERS - 1);
});
