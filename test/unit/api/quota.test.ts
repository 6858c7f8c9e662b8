import fc from 'fast-check';
import { createQuota } from '../../../src/api/quota';

const ALICE = 'arn:aws:iam::111122223333:user/alice';
const BOB = 'arn:aws:iam::111122223333:user/bob';

const GROUPS = {
  cryptographic: [
    'Encrypt',
    'Decrypt',
    'ReEncrypt',
    'GenerateDataKey',
    'GenerateDataKeyWithoutPlaintext',
    'GenerateRandom',
    'AdvanceEncrypt',
    'AdvanceDecrypt',
    'AdvanceGenerateDataKey',
  ],
  keyPairs: [
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
    'AdvanceGenerateDataKeyPair',
    'AdvanceGenerateDataKeyPairWithoutPlaintext',
  ],
  management: ['CreateKey', 'DescribeKey', 'ListKeys', 'PutKeyPolicy', 'ScheduleKeyDeletion', 'EncryptX', ''],
} as const;

/** A quota by a clock that stands still until it is told to go on. */
function withClock(limits: Parameters<typeof createQuota>[0]) {
  let now = 1_000_000;
  const quota = createQuota(limits, () => now);
  return {
    pass: (ms: number) => {
      now += ms;
    },
    /** Whether there was room. */
    take: (operation = 'Decrypt', principal = ALICE): boolean => {
      try {
        quota.take(principal, operation);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ name: 'KmsError', code: 'THROTTLED', message: 'Rate exceeded' });
        return false;
      }
    },
  };
}

describe('a quota', () => {
  it('is off by default', () => {
    const { take } = withClock({});
    expect(Array.from({ length: 10_000 }, () => take()).every(Boolean)).toBe(true);
  });

  it.each(Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => [name, group] as const)))(
    'counts %j as %s, and as nothing else',
    (operation, group) => {
      const others = { cryptographic: 1, keyPairs: 1, management: 1, [group]: undefined };
      const free = withClock(others);
      expect([free.take(operation), free.take(operation)]).toEqual([true, true]);
      const bound = withClock({ [group]: 1 });
      expect([bound.take(operation), bound.take(operation)]).toEqual([true, false]);
    },
  );

  it("lets a second's worth pass at once, and then as much as time brings", () => {
    const { take, pass } = withClock({ cryptographic: 4 });
    const takes = (count: number) => Array.from({ length: count }, () => take());
    expect(takes(6)).toEqual([true, true, true, true, false, false]);
    pass(249);
    expect(takes(1)).toEqual([false]);
    pass(1);
    expect(takes(2)).toEqual([true, false]);
    pass(60_000);
    expect(takes(5)).toEqual([true, true, true, true, false]);
  });

  it('is for each principal and for each group of operations', () => {
    const { take } = withClock({ cryptographic: 1, keyPairs: 1, management: 1 });
    for (const principal of [ALICE, BOB]) {
      for (const operation of ['Decrypt', 'GenerateDataKeyPair', 'ListKeys']) {
        expect([take(operation, principal), take(operation, principal)]).toEqual([true, false]);
      }
    }
  });

  it('of operations of one group is one', () => {
    const { take } = withClock({ cryptographic: 2 });
    expect([take('Encrypt'), take('Decrypt'), take('GenerateRandom')]).toEqual([true, true, false]);
  });

  const requests = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2500 })),
      principal: fc.constantFrom(ALICE, BOB),
    }),
    { maxLength: 120 },
  );

  it('never lets more pass in any time than a burst and what the time brings, and never less than it must', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), requests, (rate, sequence) => {
        const { take, pass } = withClock({ cryptographic: rate });
        const passed = { [ALICE]: [] as number[], [BOB]: [] as number[] };
        let now = 0;
        for (const { afterMs, principal } of sequence) {
          pass(afterMs);
          now += afterMs;
          const times = passed[principal] ?? [];
          const isRoom = roomAt(times, now, rate);
          const wasTaken = take('Decrypt', principal);
          expect(wasTaken).toBe(isRoom);
          if (wasTaken) times.push(now);
        }
        for (const times of Object.values(passed)) expectBounded(times, rate);
      }),
    );
  });
});

/** Whether a token bucket kept as a level, in whole thousandths of a request, has room: there is no rounding in it. */
function roomAt(times: readonly number[], now: number, rate: number): boolean {
  const full = rate * 1000;
  let level = full;
  let last = times[0] ?? now;
  const refill = (time: number) => {
    level = Math.min(full, level + (time - last) * rate);
    last = time;
  };
  for (const time of times) {
    refill(time);
    level -= 1000;
  }
  refill(now);
  return level >= 1000;
}

function expectBounded(times: readonly number[], rate: number): void {
  for (const [first, from] of times.entries()) {
    for (const [last, to] of times.entries()) {
      if (last < first) continue;
      expect(last - first + 1).toBeLessThanOrEqual(rate + (rate * (to - from)) / 1000);
    }
  }
}

it('remembers nobody for longer than two seconds', () => {
  const set = jest.spyOn(Map.prototype, 'set');
  const { take, pass } = withClock({ cryptographic: 10 });
  const memories = () => new Set(set.mock.contexts.filter((context) => context instanceof Map));
  for (let i = 0; i < 1000; i++) take('Decrypt', `arn:aws:iam::111122223333:user/${i}`);
  const [memory] = [...memories()].filter((map) => map.size >= 1000);
  expect(memory?.size).toBe(1000);
  pass(2000);
  take('Decrypt', ALICE);
  expect(memory?.size).toBe(1);
  set.mockRestore();
});
