import fc from 'fast-check';
import { KEY_PAIR_SPECS, KEY_PAIR_SPECS_BY_CODE } from '../../../src/hsm/key-pair-specs';
import { decodeCiphertext, encodeCiphertext, invalidCiphertext } from '../../../src/kms/ciphertext';
import {
  AT,
  anyCiphertext,
  bytes,
  byteValues,
  everyKind,
  everyKindByName,
  HEADER_BYTES,
  IV_AND_TAG_BYTES,
  pointBytesOf,
  privateKeyCiphertext,
  REFUSAL,
  refusalOf,
  withByte,
} from './ciphertexts';

describe('decodeCiphertext', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(anyCiphertext, (ciphertext) => {
        expect(decodeCiphertext(encodeCiphertext(ciphertext))).toEqual(ciphertext);
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads only what encodeCiphertext writes, byte for byte', () => {
    // Arbitrary bytes hardly ever decode, so most of these are ciphertexts with a header that was tampered with.
    const tampered = fc
      .tuple(anyCiphertext, fc.array(fc.tuple(fc.nat(HEADER_BYTES - 1), fc.nat(255)), { maxLength: 3 }))
      .map(([ciphertext, changes]) =>
        changes.reduce((blob, [at, value]) => withByte(blob, at, value), encodeCiphertext(ciphertext)),
      );
    let decoded = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: tampered }, bytes(0, 200)), (blob) => {
        if (refusalOf(blob) !== 'decoded') return;
        decoded += 1;
        expect(encodeCiphertext(decodeCiphertext(blob))).toEqual(blob);
      }),
      { numRuns: 3_000 },
    );
    expect(decoded).toBeGreaterThan(500);
  });

  it('throws nothing but the one refusal, whatever the bytes', () => {
    const promising = bytes(0, 300).map((rest) => Buffer.concat([Buffer.from([1, 2, 0, 4]), rest]));
    fc.assert(
      fc.property(fc.oneof(bytes(0, 300), promising), (blob) => {
        expect(['decoded', REFUSAL]).toContain(refusalOf(blob));
      }),
      { numRuns: 3_000 },
    );
  });

  it('refuses with the error that a tag which does not fit gets', () => {
    const { code, message } = invalidCiphertext();
    expect(`${code}: ${message}`).toBe(REFUSAL);
  });

  it.each(everyKindByName)('refuses $name cut off before the end of the tag', ({ ciphertext }) => {
    const whole = encodeCiphertext({ ...ciphertext, sealed: ciphertext.sealed.subarray(0, 16) });
    expect(refusalOf(whole)).toBe('decoded');
    for (let length = 0; length < whole.length; length++) {
      expect(refusalOf(whole.subarray(0, length))).toBe(REFUSAL);
    }
  });

  it('never reads a shortened or lengthened ciphertext as the one that it was', () => {
    fc.assert(
      fc.property(anyCiphertext, fc.nat(), bytes(1, 40), (ciphertext, cut, more) => {
        const blob = encodeCiphertext(ciphertext);
        const shorter = blob.subarray(0, cut % blob.length);
        for (const other of [shorter, Buffer.concat([blob, more])]) {
          if (refusalOf(other) === 'decoded') {
            expect(decodeCiphertext(other).sealed).not.toEqual(ciphertext.sealed);
          }
        }
      }),
    );
  });
});

describe('decodeCiphertext refuses', () => {
  const refusalsOf = (blob: Buffer, at: number, values: readonly number[]): Set<string> =>
    new Set(values.map((value) => refusalOf(withByte(blob, at, value))));

  it.each(everyKindByName)('every format but 1, of $name', ({ ciphertext }) => {
    const others = byteValues((value) => value !== 1);
    expect(refusalsOf(encodeCiphertext(ciphertext), AT.format, others)).toEqual(new Set([REFUSAL]));
  });

  it.each(everyKindByName)('every scheme but those of its kind, of $name', ({ ciphertext }) => {
    const ofKind = ciphertext.kind === 'data' ? [1] : [2, 3];
    const others = byteValues((value) => !ofKind.includes(value));
    expect(refusalsOf(encodeCiphertext(ciphertext), AT.scheme, others)).toEqual(new Set([REFUSAL]));
  });

  it.each(everyKindByName)(
    'every flag but "sealed" and "PEM" of a private key, of $name',
    ({ ciphertext }) => {
      const known = ciphertext.kind === 'data' ? [0] : [0, 1, 2, 3];
      const others = byteValues((value) => !known.includes(value));
      expect(others).toContain(0x04);
      expect(refusalsOf(encodeCiphertext(ciphertext), AT.flags, others)).toEqual(new Set([REFUSAL]));
    },
  );

  it.each(everyKindByName)('every spec that its point does not fit, of $name', ({ ciphertext }) => {
    const fits = (code: number) => {
      const spec = KEY_PAIR_SPECS_BY_CODE.get(code);
      return ciphertext.kind === 'data'
        ? code === 0
        : spec !== undefined && pointBytesOf(spec) === ciphertext.point.length;
    };
    const others = byteValues((code) => !fits(code));
    expect(others.length).toBeGreaterThanOrEqual(256 - KEY_PAIR_SPECS.size);
    expect(refusalsOf(encodeCiphertext(ciphertext), AT.spec, others)).toEqual(new Set([REFUSAL]));
  });

  it.each(everyKindByName)('every other length of the point, of $name', ({ ciphertext }) => {
    // Room for the longest point that two bytes can announce, so that it is never the size that refuses.
    const roomy = encodeCiphertext({ ...ciphertext, sealed: Buffer.alloc(0x10000 + IV_AND_TAG_BYTES) });
    const right = roomy.readUInt16BE(AT.pointLength);
    const lengths = [...new Array(300).keys(), 0x0100 + right, 0x4100, 0x7fff, 0x8000, 0xff00, 0xffff];
    const refusals = lengths
      .filter((length) => length !== right)
      .map((length) => {
        roomy.writeUInt16BE(length, AT.pointLength);
        return refusalOf(roomy);
      });
    expect(refusals.length).toBeGreaterThanOrEqual(lengths.length - 1);
    expect(new Set(refusals)).toEqual(new Set([REFUSAL]));
  });

  it('a point that was made longer or shorter, with its length or without', () => {
    const changed = privateKeyCiphertext.chain((ciphertext) =>
      bytes(0, 140)
        .filter(({ length }) => length !== ciphertext.point.length)
        .map((point) => ({ ...ciphertext, point })),
    );
    fc.assert(fc.property(changed, (ciphertext) => refusalOf(encodeCiphertext(ciphertext)) === REFUSAL));
  });

  it('a point of data', () => {
    const [data] = everyKind;
    const blob = data && encodeCiphertext(data);
    const withPoint = Buffer.concat([
      blob?.subarray(0, AT.pointLength) ?? Buffer.alloc(0),
      Buffer.from([0, 65]),
      Buffer.alloc(65, 4),
      blob?.subarray(HEADER_BYTES) ?? Buffer.alloc(0),
    ]);
    expect(refusalOf(withPoint)).toBe(REFUSAL);
  });
});
