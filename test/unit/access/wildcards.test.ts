import fc from 'fast-check';
import { matchesWildcards } from '../../../src/access/wildcards';

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

  it('does not take for ever', () => {
    expect(matchesWildcards('*a'.repeat(2_000), 'a'.repeat(1_900))).toBe(false);
  });
});
