import * as fc from 'fast-check';
import { createHeartbeat } from '../../../src/kms/heartbeat';
import { openDomain } from './fixture';

const DAY = 86_400_000;
const YEAR = 365 * DAY;

/** A store's heartbeat, and services whose clocks show `time` and whatever each began with. */
async function withServices(count = 1) {
  const { kms } = await openDomain();
  const clock = { time: 0 };
  const start = () => {
    const began = Math.random() * 1e9;
    return createHeartbeat(kms.store, () => began + clock.time);
  };
  const looks = Array.from({ length: count }, start);
  const recorded = () => kms.store.heartbeat.read();
  return { clock, looks, start, recorded };
}

describe('the heartbeat', () => {
  it('records the time between two looks', async () => {
    const { clock, looks, recorded } = await withServices();
    const [look] = looks;
    await look?.();
    expect(await recorded()).toBe(0);
    for (const ms of [15_000, 15_000, 0, 20_000]) {
      clock.time += ms;
      await look?.();
    }
    expect(await recorded()).toBe(50_000);
  });

  it('loses no more than a millisecond with each look, and gains none', async () => {
    const { clock, looks, recorded } = await withServices();
    for (let count = 0; count <= 10; count++) {
      await looks[0]?.();
      clock.time += 15_000.6;
    }
    expect(await recorded()).toBe(150_000);
  });

  it('of several services is that of one', async () => {
    const { clock, looks, recorded } = await withServices(3);
    for (let round = 0; round < 20; round++) {
      for (const look of looks) {
        await look();
        clock.time += 5_000;
      }
    }
    const passed = 20 * 15_000;
    expect(await recorded()).toBeLessThanOrEqual(passed);
    expect(await recorded()).toBeGreaterThanOrEqual(passed - 2 * 15_000);
  });

  it('stands still while no service runs', async () => {
    const { clock, looks, start, recorded } = await withServices();
    await looks[0]?.();
    clock.time += 15_000;
    await looks[0]?.();
    clock.time += YEAR;
    const next = start();
    await next();
    expect(await recorded()).toBe(15_000);
    clock.time += 10_000;
    await next();
    expect(await recorded()).toBe(25_000);
  });

  it('takes no notice of the wall clock', async () => {
    const { clock, looks, recorded } = await withServices();
    const now = jest.spyOn(Date, 'now');
    try {
      for (const wall of [2e12, 2e12 + 10 * YEAR, 1e12, 5e12]) {
        now.mockReturnValue(wall);
        await looks[0]?.();
        clock.time += 1_000;
      }
    } finally {
      now.mockRestore();
    }
    expect(await recorded()).toBe(3_000);
  });

  it('records a minute at most, however long a service was suspended', async () => {
    const { clock, looks, recorded } = await withServices();
    await looks[0]?.();
    clock.time += 8 * DAY;
    await looks[0]?.();
    expect(await recorded()).toBe(60_000);
  });

  it('goes on after the store could not be read or written', async () => {
    const { kms } = await openDomain();
    const clock = { time: 0 };
    const look = createHeartbeat(kms.store, () => clock.time);
    await look();
    for (const method of ['read', 'advance'] as const) {
      const failing = jest.spyOn(kms.store.heartbeat, method).mockRejectedValue(new Error('no answer'));
      clock.time += 15_000;
      await expect(look()).rejects.toThrow('no answer');
      failing.mockRestore();
    }
    clock.time += 15_000;
    await look();
    expect(await kms.store.heartbeat.read()).toBe(45_000);
  });
});

it('never is more recorded than has passed, whatever instances run, wherever they are in their looks', async () => {
  // Below what one look may record: what is not recorded for that reason would hide what is recorded twice.
  const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 2, maxLength: 10 });
  const plans = fc.array(pauses, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plans, fc.boolean(), async (order, ofEach, crashes) => {
      const { time, store, step } = simulation(order);
      const instance = async (pausesOfOne: readonly number[]) => {
        let look = createHeartbeat(store, () => time.now);
        await look();
        for (const pause of pausesOfOne) {
          await step(pause);
          await look();
          if (crashes && pause % 5 === 0) look = createHeartbeat(store, () => time.now);
        }
      };
      await order.waitFor(Promise.all(ofEach.map(instance)));
      expect(time.recorded).toBeLessThanOrEqual(time.now);
    }),
    { numRuns: 500 },
  );
});

/** A store in memory whose every step, and every answer, comes when `order` says. Time passes with each. */
function simulation(order: fc.Scheduler) {
  const time = { now: 0, recorded: 0 };
  const step = async (ms = 1) => {
    await order.schedule(Promise.resolve());
    time.now += ms;
  };
  const heartbeat = {
    async read() {
      await step();
      const { recorded } = time;
      await step();
      return recorded;
    },
    async advance(from: number, to: number) {
      await step();
      const wins = time.recorded === from;
      if (wins) time.recorded = to;
      expect(time.recorded).toBeLessThanOrEqual(time.now);
      await step();
      return wins;
    },
  };
  return { time, step, store: { heartbeat } };
}
