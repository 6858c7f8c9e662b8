import fc from 'fast-check';
import { matchesAtOnce, matchesByStep, matchesWildcards } from '../../../src/access/wildcards';

describe('a pattern with wildcards', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['?', '', false],
    ['?', 'a', true],
    ['?', 'ab', false],
    ['kms:*', 'kms:Encrypt', true],
    ['kms:*', 'kms', false],
    ['kms:Put*Policy', 'kms:PutKeyPolicy', true],
    ['kms:Put*Policy', 'kms:PutKeyPolicyX', false],
    ['kms:P?tKeyPolicy', 'kms:PutKeyPolicy', true],
    ['*a*b*', 'xxbxxaxx', false],
    ['*a*b*', 'xxaxxbxx', true],
    ['a.c', 'abc', false],
    ['(', '(', true],
    ['a**b', 'ab', true],
  ])('%j and %j: %s', (pattern, text, expected) => {
    expect(matchesWildcards(pattern, text)).toBe(expected);
  });

  it('matches as the regular expression that says the same', () => {
    const some = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 12 });
    fc.assert(
      fc.property(some, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), (pattern, text) => {
        const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesWildcards(pattern, text)).toBe(same.test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('matches as the plainest matcher does, where some wildcards stand for themselves', () => {
    const plainest = (pattern: string, text: string, literals: ReadonlySet<number>, at = 0): boolean => {
      if (at === pattern.length) return text === '';
      const isWild = !literals.has(at);
      if (pattern[at] === '*' && isWild) {
        const tails = Array.from({ length: text.length + 1 }, (_, start) => text.slice(start));
        return tails.some((tail) => plainest(pattern, tail, literals, at + 1));
      }
      const isOne = text !== '' && (pattern[at] === text[0] || (pattern[at] === '?' && isWild));
      return isOne && plainest(pattern, text.slice(1), literals, at + 1);
    };
    const some = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 7 });
    const places = fc.uniqueArray(fc.nat(6), { maxLength: 4 }).map((list) => new Set(list));
    fc.assert(
      fc.property(some, some, places, (pattern, text, literals) => {
        const expected = plainest(pattern, text, literals);
        expect(matchesWildcards(pattern, text, literals)).toBe(expected);
        expect(matchesByStep(pattern, text, literals)).toBe(expected);
        expect(matchesAtOnce(pattern, text, literals)).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  it('does not take for ever', () => {
    expect(matchesWildcards('*a'.repeat(2_000), 'a'.repeat(1_900))).toBe(false);
    expect(matchesWildcards(`*?${'a'.repeat(16_000)}b*`, 'a'.repeat(32_000))).toBe(false);
    expect(matchesWildcards(`*?${'a'.repeat(16_000)}b*`, `${'a'.repeat(32_000)}b`)).toBe(true);
  });
});
