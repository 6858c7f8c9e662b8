import fc from 'fast-check';
import { conditionValues } from '../../../src/access/access-request';
import { evaluate, type Policies } from '../../../src/access/evaluate';
import { parseIdentityPolicy, parsePolicy } from '../../../src/access/parse-policy';
import { KmsError } from '../../../src/errors';
import { alice, outcomeOf, policiesOf, requestOf } from './decisions';
import { identityPolicyOf, policyOf } from './policies';
import { someDeny, somePolicies, someRequest } from './some-policies';

const RUNS = { numRuns: 1_000 };

/** Every list and every object in another order, which the numbers choose. */
function reordered<T>(value: T, numbers: readonly number[]): T {
  if (value instanceof Map || typeof value !== 'object' || value === null) return value;
  let next = 0;
  const order = <U>(items: U[]): U[] =>
    items
      .map((item) => ({ item, at: numbers[next++ % numbers.length] ?? 0 }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  if (Array.isArray(value)) return order(value.map((item) => reordered(item, numbers))) as T;
  const entries = Object.entries(value).map(([name, inner]) => [name, reordered(inner, numbers)]);
  return Object.fromEntries(order(entries)) as T;
}

/** Actions and the names of condition keys in other letters. */
const inOtherLetters = (statement: object, change: (text: string) => string): object =>
  Object.fromEntries(
    Object.entries(statement).map(([name, value]: [string, unknown]) => {
      if (name.endsWith('Action') && Array.isArray(value)) return [name, value.map(change)];
      if (name !== 'Condition') return [name, value];
      const operators = Object.entries(value as Record<string, Record<string, unknown>>);
      const renamed = (keys: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(keys).map(([key, values]) => [change(key), values]));
      return [name, Object.fromEntries(operators.map(([operator, keys]) => [operator, renamed(keys)]))];
    }),
  );

const isAllowed = (...args: Parameters<typeof outcomeOf>): boolean => outcomeOf(...args) === 'allowed';

describe('whatever the policies are', () => {
  it('they meet requests often enough for the rest to mean something', () => {
    const counts = new Map<string, number>();
    const samples = fc.sample(fc.tuple(somePolicies, someRequest), { numRuns: 2_000, seed: 1 });
    for (const [policies, request] of samples) {
      const outcome = outcomeOf(policies, request);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    const outcomes = [
      'allowed',
      'explicit-deny-identity',
      'explicit-deny-resource',
      'no-identity-allow',
      'no-resource-allow',
    ];
    for (const outcome of outcomes)
      expect([outcome, counts.get(outcome)]).toEqual([outcome, expect.any(Number)]);
    expect(counts.get('allowed')).toBeGreaterThan(300);
    expect(counts.get('allowed')).toBeLessThan(1_700);
  });

  it('a Deny more never allows more', () => {
    fc.assert(
      fc.property(
        somePolicies,
        someRequest,
        someDeny.key,
        someDeny.identity,
        ({ key, identity, grants }, request, keyDeny, identityDeny) => {
          if (isAllowed({ key, identity, grants }, request)) return;
          expect(isAllowed({ key: [...key, keyDeny], identity, grants }, request)).toBe(false);
          expect(isAllowed({ key, identity: [identityDeny, ...identity], grants }, request)).toBe(false);
        },
      ),
      RUNS,
    );
  });

  it('a statement that allows, or a grant, taken away never allows more', () => {
    const isAllow = (statement: object) => 'Effect' in statement && statement.Effect === 'Allow';
    const without = (items: readonly object[], at: number) =>
      items.filter((statement, index) => index !== at || !isAllow(statement));
    fc.assert(
      fc.property(
        somePolicies.filter(({ key, identity }) => key.length > 1 && identity.length > 1),
        someRequest,
        fc.nat(2),
        ({ key, identity, grants }, request, at) => {
          if (isAllowed({ key, identity, grants }, request)) return;
          expect(isAllowed({ key: without(key, at), identity, grants }, request)).toBe(false);
          expect(isAllowed({ key, identity: without(identity, at), grants }, request)).toBe(false);
          expect(isAllowed({ key, identity, grants: grants.toSpliced(at, 1) }, request)).toBe(false);
        },
      ),
      RUNS,
    );
  });

  it('order never matters', () => {
    const numbers = fc.array(fc.nat(), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(somePolicies, someRequest, numbers, (policies, request, by) => {
        expect(outcomeOf(reordered(policies, by), reordered(request, by))).toBe(outcomeOf(policies, request));
      }),
      RUNS,
    );
  });

  it('it never matters which of the caller’s policies has a statement', () => {
    fc.assert(
      fc.property(somePolicies, someRequest, (policies, request) => {
        const together = policiesOf(policies);
        const apart = policies.identity.map((statement) => parseIdentityPolicy(identityPolicyOf(statement)));
        const decide = (identity: typeof apart) => evaluate(requestOf(request), { ...together, identity });
        expect(decide(apart)).toEqual(decide([...together.identity]));
        expect(decide(apart.toReversed())).toEqual(decide(apart));
      }),
      RUNS,
    );
  });

  it('the letters of actions and condition keys never matter', () => {
    const changes = fc.constantFrom<(text: string) => string>(
      (text) => text.toLowerCase(),
      (text) => text.toUpperCase(),
    );
    fc.assert(
      fc.property(somePolicies, someRequest, changes, ({ key, identity, grants }, request, change) => {
        const other = {
          key: key.map((statement) => inOtherLetters(statement, change)),
          identity: identity.map((statement) => inOtherLetters(statement, change)),
          grants,
        };
        const asked = {
          ...request,
          conditions: Object.fromEntries(
            Object.entries(request.conditions ?? {}).map(([name, values]) => [change(name), values]),
          ),
        };
        expect(outcomeOf(other, asked)).toBe(outcomeOf({ key, identity, grants }, request));
      }),
      RUNS,
    );
  });
});

/** Text that is likely to be something to somebody. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('$', '{', '}', ',', "'", '*', '?', ':', '/', '.', '%', '0', 'a'),
    maxLength: 16,
  }),
  fc.constantFrom(
    'true',
    '10.0.0.0/8',
    '::ffff:1.2.3.4/96',
    '2024-02-30',
    '9'.repeat(400),
    `\${aws:username}`,
  ),
);

const PREFIXES = ['', 'ForAllValues:', 'ForAnyValue:'];
const OPERATORS = [
  ...['StringEquals', 'StringNotEqualsIgnoreCase', 'StringLike', 'StringNotLike', 'ArnLike', 'ArnNotEquals'],
  ...['NumericLessThan', 'NumericNotEquals', 'DateEquals', 'DateGreaterThan', 'Bool', 'BinaryEquals'],
  ...['IpAddress', 'NotIpAddress', 'Null'],
];

function parsedOrRefused(changes: object): Policies | undefined {
  try {
    const key = parsePolicy(policyOf({ ...changes, Principal: '*' }));
    return { identity: [parseIdentityPolicy(identityPolicyOf(changes))], key };
  } catch (error) {
    if (error instanceof KmsError) return undefined;
    throw error;
  }
}

describe('whatever the texts are', () => {
  it('what parses is evaluated, and nothing is thrown', () => {
    let parsed = 0;
    const statement = fc.record({
      Effect: fc.constantFrom('Allow', 'Deny'),
      Resource: fc.oneof(
        fc.constant('*'),
        text.map((tail) => `arn:aws:kms:${tail}`),
      ),
      Condition: fc
        .tuple(
          fc.constantFrom(...PREFIXES),
          fc.constantFrom(...OPERATORS),
          fc.array(text, { minLength: 1, maxLength: 2 }),
        )
        .map(([prefix, operator, values]) => ({ [prefix + operator]: { 'a:b': values } })),
    });
    const resource = text.map((tail) => `arn:aws:kms:${tail}`);
    fc.assert(
      fc.property(statement, fc.array(text, { maxLength: 2 }), resource, (changes, values, asked) => {
        const request = {
          ...requestOf({ caller: alice, resource: asked }),
          conditions: conditionValues([['a:b', values]]),
        };
        const policies = parsedOrRefused(changes);
        if (!policies) return;
        parsed += 1;
        expect(typeof evaluate(request, policies).allowed).toBe('boolean');
      }),
      { numRuns: 5_000 },
    );
    expect(parsed).toBeGreaterThan(1_000);
  });
});
