import { setTimeout as sleep } from 'node:timers/promises';
import { exclusively } from '../../../src/store/exclusively';
import { openPostgres } from '../../../src/store/postgres';
import type { Store } from '../../../src/store/store';
import { postgres } from '../../support/postgres';
import { engines, type Engine as TestEngine } from './fixture';
import { ended, inProcess, messageOf } from './processes';

const onPostgres = engines[1] as TestEngine;

/** Work that goes on until it is told to end. */
function work() {
  let begin = () => {};
  let end = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = () => {
    begin();
    return done;
  };
  return { run, begun, end: () => end() };
}

/** Whether it has not begun after a time in which others' work begins. */
const waits = (begun: Promise<unknown>, ms = 150): Promise<boolean> =>
  Promise.race([begun.then(() => false), sleep(ms).then(() => true)]);

describe.each(engines)('exclusive work on $name', ({ open }) => {
  it('is done one at a time, in the order of the calls', async () => {
    const store = await open();
    const steps: string[] = [];
    const task = (name: string) => async () => {
      steps.push(`${name} begins`);
      await sleep(5);
      steps.push(`${name} ends`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => store.exclusively('token-objects', task(name))));
    expect(steps).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('is refused at once where very many wait for it, and the others have their turn', async () => {
    const store = await open();
    const first = work();
    const calls = [store.exclusively('token-objects', first.run)];
    await first.begun;
    for (let count = 0; count < 64; count++)
      calls.push(store.exclusively('token-objects', async () => undefined));
    await expect(store.exclusively('token-objects', async () => undefined)).rejects.toMatchObject({
      code: 'THROTTLED',
    });
    first.end();
    await expect(Promise.all(calls)).resolves.toHaveLength(65);
  });

  it('does not wait for work of another name', async () => {
    const store = await open();
    const result = store.exclusively('start', () => store.exclusively('token-objects', async () => 'inner'));
    await expect(result).resolves.toBe('inner');
  });

  it('hands on what the work throws, and lets the next one begin', async () => {
    const store = await open();
    const failure = new Error('the work');
    await expect(store.exclusively('start', () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(store.exclusively('start', async () => 1)).resolves.toBe(1);
  });

  it('leaves the store to others meanwhile, however many wait', async () => {
    const store = await open();
    const first = work();
    const all = [store.exclusively('token-objects', first.run)];
    await first.begun;
    for (let more = 0; more < 50; more++) all.push(store.exclusively('token-objects', async () => undefined));
    await store.ping();
    await store.identity.read();
    first.end();
    await Promise.all(all);
  });
});

it('exclusive work of the same process is waited for no longer than the limit, and then not done', async () => {
  const alone = exclusively({ alone: (_name, _waitMs, run) => run() }, 50);
  const first = work();
  const running = alone('start', first.run);
  const late = jest.fn();
  await expect(alone('start', late)).rejects.toMatchObject({ name: 'KmsError', code: 'TOKEN_TIMEOUT' });
  first.end();
  await running;
  await expect(alone('start', async () => 'again')).resolves.toBe('again');
  expect(late).not.toHaveBeenCalled();
});

describe('exclusive work of two processes on one PostgreSQL', () => {
  let address: Awaited<ReturnType<TestEngine['newAddress']>>;
  let store: Store;

  beforeEach(async () => {
    address = await onPostgres.newAddress();
    store = await onPostgres.open(address);
  });

  it('is done by one after the other', async () => {
    const other = inProcess('alone', address);
    expect(await messageOf(other)).toBe('alone');
    const mine = work();
    const result = store.exclusively('token-objects', mine.run);
    expect(await waits(mine.begun)).toBe(true);
    other.send('end');
    await mine.begun;
    // And the other way round.
    const another = inProcess('alone', address);
    const itsTurn = messageOf(another);
    expect(await waits(itsTurn, 700)).toBe(true);
    mine.end();
    await result;
    await itsTurn;
    another.send('end');
    expect(await Promise.all([ended(other), ended(another)])).toEqual([0, 0]);
  });

  it('goes on when the process that had its turn is killed', async () => {
    const other = inProcess('alone', address);
    await messageOf(other);
    other.kill('SIGKILL');
    await expect(store.exclusively('token-objects', async () => 'done')).resolves.toBe('done');
  });

  it('is not waited for on another database', async () => {
    const other = inProcess('alone', address);
    await messageOf(other);
    const elsewhere = await onPostgres.open();
    await expect(elsewhere.exclusively('token-objects', async () => 'done')).resolves.toBe('done');
    other.send('end');
    await ended(other);
  });

  it('is waited for no longer than the limit, and costs the store nothing', async () => {
    if (typeof address === 'string') throw new Error('not on PostgreSQL');
    const engine = await openPostgres(address);
    const mine = work();
    const running = store.exclusively('start', mine.run);
    await mine.begun;
    const late = jest.fn();
    for (let time = 0; time < 12; time++) {
      await expect(engine.alone('start', 20, late)).rejects.toMatchObject({ code: 'TOKEN_TIMEOUT' });
    }
    await engine.ping();
    mine.end();
    await running;
    await expect(engine.alone('start', 5_000, async () => 'done')).resolves.toBe('done');
    expect(late).not.toHaveBeenCalled();
    await engine.close();
  });

  it('ends as it would have, and hands its turn on, where the connection was lost meanwhile', async () => {
    const server = await postgres();
    const mine = work();
    const running = store.exclusively('token-objects', mine.run);
    await mine.begun;
    await server.admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'p11kms'`);
    mine.end();
    await expect(running).resolves.toBeUndefined();
    await expect(store.exclusively('token-objects', async () => 'done')).resolves.toBe('done');
  });
});
