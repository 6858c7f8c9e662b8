import fc from 'fast-check';
import { KmsError } from '../../../src/errors';
import { encodeAuthenticatedData } from '../../../src/kms/authenticated-data';
import { encodeEncryptionContext } from '../../../src/kms/encryption-context';

const context = (...pairs: readonly (readonly [string, string])[]) => new Map(pairs);
const hexOf = (...pairs: readonly (readonly [string, string])[]) =>
  encodeEncryptionContext(context(...pairs)).toString('hex');

/** Short strings out of few characters, so that prefixes, equal keys and empty strings really occur. */
const tricky = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '\0', 'é', '\uffff', '\u{10000}'), maxLength: 4 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty'),
);
const pairs = fc.uniqueArray(fc.tuple(tricky, tricky), { selector: ([key]) => key, maxLength: 6 });

/** The encoding read back by other means: what can be read back is injective. */
function decode(encoded: Buffer): [string, string][] {
  const strings: string[] = [];
  for (let at = 0; at < encoded.length; ) {
    const length = encoded.readUInt32BE(at);
    strings.push(encoded.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return strings.flatMap((key, index) =>
    index % 2 === 0 ? [[key, strings[index + 1] ?? 'missing'] as [string, string]] : [],
  );
}

describe('encodeEncryptionContext', () => {
  it.each([
    ['nothing', [], ''],
    ['one pair', [['tenant', 'acme']], '0000000674656e616e740000000461636d65'],
    ['empty strings', [['', '']], '0000000000000000'],
    [
      'a longer key behind its prefix',
      [
        ['ab', '1'],
        ['a', '2'],
      ],
      '0000000161000000013200000002616200000001' + '31',
    ],
    ['UTF-8', [['schlüssel', '鍵']], '0000000a7363686cc3bc7373656c00000003e98db5'],
    ['__proto__', [['__proto__', 'x']], '000000095f5f70726f746f5f5f0000000178'],
  ] as const)('writes %s as it always did', (_what, given, hex) => {
    expect(hexOf(...given)).toBe(hex);
  });

  it('sorts by UTF-8 bytes, where UTF-16 has another order', () => {
    // U+FFFF is EF BF BF and one unit FFFF; U+10000 is F0 90 80 80 and the units D800 DC00.
    expect('\u{10000}' < '\uffff').toBe(true);
    expect(hexOf(['\u{10000}', 'b'], ['\uffff', 'a'])).toBe(
      '00000003efbfbf0000000161' + '00000004f09080800000000162',
    );
  });

  it('takes every key for a key', () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const encoded = encodeEncryptionContext(context(...names.map((name) => [name, name] as const)));
    expect(decode(encoded)).toEqual(names.map((name) => [name, name]));
  });

  it('can be read back, pair by pair, in the order of the UTF-8 bytes', () => {
    fc.assert(
      fc.property(pairs, (given) => {
        const sorted = [...given].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(decode(encodeEncryptionContext(context(...given)))).toEqual(sorted);
      }),
      { numRuns: 1_000 },
    );
  });

  it('does not depend on the order of insertion', () => {
    const shuffled = pairs.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
    );
    fc.assert(fc.property(shuffled, ([given, other]) => hexOf(...given) === hexOf(...other)));
  });

  it('gives two contexts the same bytes only if they are equal', () => {
    const canonical = (given: [string, string][]) =>
      JSON.stringify([...given].sort(([a], [b]) => (a < b ? -1 : 1)));
    fc.assert(
      fc.property(pairs, pairs, (one, other) => {
        expect(hexOf(...one) === hexOf(...other)).toBe(canonical(one) === canonical(other));
      }),
      { numRuns: 2_000 },
    );
  });

  it('tells apart what only the borders between strings tell apart', () => {
    const all = [
      hexOf(['ab', 'c']),
      hexOf(['a', 'bc']),
      hexOf(['abc', '']),
      hexOf(['', 'abc']),
      hexOf(['a', 'b'], ['c', '']),
      hexOf(['a', ''], ['b', 'c']),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it.each([
    ['a key', '\ud800', 'value'],
    ['a value', 'key', 'x\udc00y'],
    ['a pair in the wrong order', 'key', '\udc00\ud800'],
  ])('refuses a lone surrogate in %s, and does not repeat it', (_where, key, value) => {
    const encode = () => encodeEncryptionContext(context(['a', 'b'], [key, value]));
    expect(encode).toThrow(
      new KmsError('INVALID_REQUEST', 'The encryption context holds text that is not well-formed Unicode.'),
    );
    expect(encode).toThrow(expect.objectContaining({ name: 'KmsError', code: 'INVALID_REQUEST' }));
  });
});

describe('encodeAuthenticatedData', () => {
  const raw = (hex: string) => encodeAuthenticatedData({ kind: 'raw', bytes: Buffer.from(hex, 'hex') });
  const ofContext = (...given: readonly (readonly [string, string])[]) =>
    encodeAuthenticatedData({ kind: 'context', pairs: context(...given) });

  it('is the one byte 0 for an empty context and for no bytes', () => {
    expect(ofContext().toString('hex')).toBe('00');
    expect(raw('').toString('hex')).toBe('00');
  });

  it('is the byte 1 and the encoding, for a context', () => {
    expect(ofContext(['a', 'b']).toString('hex')).toBe('0100000001610000000162');
  });

  it('is the byte 2 and the bytes, for raw data', () => {
    expect(raw('c0ffee').toString('hex')).toBe('02c0ffee');
  });

  it('keeps an empty pair apart from no pair', () => {
    expect(ofContext(['', '']).toString('hex')).toBe('010000000000000000');
  });

  it('never gives a context and raw data the same bytes, unless both are empty', () => {
    fc.assert(
      fc.property(pairs, fc.uint8Array({ maxLength: 60 }), fc.boolean(), (given, array, sameBytes) => {
        const bytes = sameBytes ? encodeEncryptionContext(context(...given)) : Buffer.from(array);
        const one = ofContext(...given);
        const other = encodeAuthenticatedData({ kind: 'raw', bytes });
        expect(one.equals(other)).toBe(given.length === 0 && bytes.length === 0);
      }),
    );
  });
});
