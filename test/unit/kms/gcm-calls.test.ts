import * as fc from 'fast-check';
import { createGcmCalls, type GcmCalls } from '../../../src/kms/gcm-calls';
import { createKey } from '../../../src/kms/keys';
import type { VersionName } from '../../../src/store/key-versions';
import { newCall, openDomain } from './fixture';

const VERSION: VersionName = { keyId: 'a-key', number: 1 };

/** So many calls make blocks of `size`. */
const boundOf = (size: number) => size * 65_536;

/** A counter in memory, which keeps the promises of the repository. */
function createVersions(bound: number, left: number, pause: () => Promise<void> = async () => undefined) {
  const state = { used: bound - left, writes: 0 };
  const reserveCalls = async (_version: VersionName, count: number, limit: number) => {
    await pause();
    const block = Math.max(0, Math.min(count, limit - state.used));
    state.used += block;
    state.writes++;
    await pause();
    return block;
  };
  return { state, store: { versions: { reserveCalls } } as unknown as Parameters<typeof createGcmCalls>[0] };
}

const countOf = (taken: readonly boolean[]) => taken.filter(Boolean).length;

async function takeAll(calls: GcmCalls, tries: number): Promise<number> {
  return countOf(await Promise.all(Array.from({ length: tries }, () => calls.take(VERSION))));
}

describe('AES-GCM calls', () => {
  it.each([1, 2, 5, 1_000])('are as many as the bound of %i says', async (bound) => {
    const { store } = createVersions(bound, bound);
    const calls = createGcmCalls(store, bound);
    expect(await takeAll(calls, bound)).toBe(bound);
    expect(await calls.take(VERSION)).toBe(false);
    expect(await calls.take(VERSION)).toBe(false);
  });

  it('cost one write to the store for a block of them', async () => {
    const { store, state } = createVersions(2 ** 32, 2 ** 32);
    const calls = createGcmCalls(store, 2 ** 32);
    expect(await takeAll(calls, 65_536)).toBe(65_536);
    expect(state).toEqual({ used: 65_536, writes: 1 });
    expect(await calls.take(VERSION)).toBe(true);
    expect(state).toEqual({ used: 2 * 65_536, writes: 2 });
  });

  it('are counted for each version of each key by itself', async () => {
    const { store } = createVersions(1, 1);
    const calls = createGcmCalls(store, 1);
    expect(await calls.take(VERSION)).toBe(true);
    const blocks = createVersions(boundOf(2), 2);
    const others = createGcmCalls(blocks.store, boundOf(2));
    expect(await others.take(VERSION)).toBe(true);
    // One of the block of two is left, but to version 1 alone.
    expect(others.takeReserved({ ...VERSION, number: 2 })).toBe(false);
    expect(others.takeReserved({ ...VERSION, keyId: 'another' })).toBe(false);
    expect(others.takeReserved(VERSION)).toBe(true);
  });

  it('are taken at once only from what is reserved', async () => {
    const { store, state } = createVersions(boundOf(3), 100);
    const calls = createGcmCalls(store, boundOf(3));
    expect(calls.takeReserved(VERSION)).toBe(false);
    expect(state.writes).toBe(0);
    expect(await calls.take(VERSION)).toBe(true);
    expect([1, 2, 3].map(() => calls.takeReserved(VERSION))).toEqual([true, true, false]);
    expect(state).toMatchObject({ writes: 1 });
  });

  it('fail for all that wait while the store does, and work again with it', async () => {
    const { store, state } = createVersions(boundOf(2), 2);
    const calls = createGcmCalls(store, boundOf(2));
    const failing = jest.spyOn(store.versions, 'reserveCalls').mockRejectedValue(new Error('no answer'));
    const outcomes = await Promise.allSettled([calls.take(VERSION), calls.take(VERSION)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    failing.mockRestore();
    expect(await takeAll(calls, 3)).toBe(2);
    expect(state.used).toBe(boundOf(2));
  });
});

interface Step {
  readonly instance: number;
  readonly do: 'take' | 'again' | 'crash';
  /** Of those to take. */
  readonly count: number;
}

const steps = (actions: readonly Step['do'][]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      instance: fc.nat({ max: 3 }),
      do: fc.constantFrom(...actions),
      count: fc.integer({ min: 1, max: 12 }),
    }),
    { maxLength: 25 },
  );

const limits = { size: fc.integer({ min: 1, max: 7 }), left: fc.nat({ max: 60 }) };

/** Does the steps without waiting for any, and resolves to how many calls were taken. */
async function taken(
  order: fc.Scheduler,
  bound: number,
  store: Parameters<typeof createGcmCalls>[0],
  plan: readonly Step[],
) {
  const instances = new Map<number, GcmCalls>();
  const instanceOf = (number: number) => {
    const calls = instances.get(number) ?? createGcmCalls(store, bound);
    instances.set(number, calls);
    return calls;
  };
  const waiting: Promise<boolean>[] = [];
  let count = 0;
  for (const step of plan) {
    await order.schedule(Promise.resolve());
    if (step.do === 'crash') instances.delete(step.instance);
    else if (step.do === 'again') count += Number(instanceOf(step.instance).takeReserved(VERSION));
    else for (let one = 0; one < step.count; one++) waiting.push(instanceOf(step.instance).take(VERSION));
  }
  return count + countOf(await Promise.all(waiting));
}

it('never are more taken than there are, whatever instances, crashes and interleavings there are', async () => {
  const plans = steps(['take', 'again', 'crash']);
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), limits.size, limits.left, plans, async (order, size, left, plan) => {
      const bound = boundOf(size);
      const pause = () => order.schedule(Promise.resolve());
      const { store, state } = createVersions(bound, left, pause);
      const count = await order.waitFor(taken(order, bound, store, plan));
      expect(count).toBeLessThanOrEqual(left);
      expect(state.used).toBeLessThanOrEqual(bound);
    }),
    { numRuns: 300 },
  );
});

it('all can be used where one instance runs and none crashes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      limits.size,
      limits.left,
      steps(['take']),
      async (order, size, left, all) => {
        const bound = boundOf(size);
        const { store } = createVersions(bound, left, () => order.schedule(Promise.resolve()));
        const plan = all.map((step) => ({ ...step, instance: 0 }));
        const tries = plan.reduce((sum, step) => sum + (step.do === 'take' ? step.count : 0), 0);
        expect(await order.waitFor(taken(order, bound, store, plan))).toBe(Math.min(tries, left));
      },
    ),
    { numRuns: 300 },
  );
});

it('never are more taken than there are on a real store with several connections', async () => {
  const first = await openDomain();
  const domains = [first, await openDomain({ sharing: first }), await openDomain({ sharing: first })];
  const key = await createKey(first.kms, newCall(), { description: '' });
  const version = { keyId: key.id, number: 1 };
  const bound = 50;
  let count = 0;
  for (let round = 0; round < 3; round++) {
    // Each round begins with new instances: those before have crashed.
    const counters = domains.map(({ kms }) => createGcmCalls(kms.store, bound));
    const tries = Array.from({ length: 24 }, (_, index) => counters[index % 3]?.take(version));
    count += countOf((await Promise.all(tries)).map(Boolean));
  }
  // The blocks are of one call, so no crash loses any.
  expect(count).toBe(bound);
});
