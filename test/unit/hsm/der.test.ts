import fc from 'fast-check';
import {
  bitString,
  elementLength,
  explicit1,
  integer,
  octetString,
  readEcPrivateNumber,
  readOctetString,
  sequence,
} from '../../../src/hsm/worker/der';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('DER that is written', () => {
  it.each([
    ['', '02 01 00'],
    ['00', '02 01 00'],
    ['0000', '02 01 00'],
    ['01', '02 01 01'],
    ['7f', '02 01 7f'],
    ['007f', '02 01 7f'],
    ['80', '02 02 00 80'],
    ['0080', '02 02 00 80'],
    ['ff', '02 02 00 ff'],
    ['0100', '02 02 01 00'],
    ['0000010001', '02 03 01 00 01'],
  ])('has the integer %s as %s', (bytes, der) => {
    expect(integer(hex(bytes))).toEqual(hex(der));
  });

  it('has an integer as the number that it is, in as few bytes as that takes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 140 }), (array) => {
        const bytes = Buffer.from(array);
        const number = BigInt(`0x0${bytes.toString('hex')}`);
        const der = integer(bytes);
        const value = der.subarray(-Math.max(1, Math.ceil((number.toString(2).length + 1) / 8)));
        expect(BigInt(`0x${value.toString('hex')}`)).toBe(number);
        expect(value.readInt8(0)).toBeGreaterThanOrEqual(0);
        expect(der).toEqual(Buffer.concat([hex(lengthHead('02', value.length)), value]));
      }),
    );
  });

  it.each([0, 1, 127, 128, 129, 255, 256, 257, 0x7fff, 0x8000, 0xffff])(
    'has %i bytes behind the shortest length',
    (length) => {
      const bytes = Buffer.alloc(length, 0xab);
      const der = octetString(bytes);
      expect(der).toEqual(Buffer.concat([hex(lengthHead('04', length)), bytes]));
      expect(readOctetString(der)).toEqual(bytes);
      expect(elementLength(Buffer.concat([der, Buffer.alloc(9)]))).toBe(der.length);
    },
  );

  it('is refused where two bytes cannot say its length', () => {
    expect(() => octetString(Buffer.alloc(0x10000))).toThrow('DER: 65536 bytes are too many');
    expect(() => bitString(Buffer.alloc(0xffff))).toThrow('DER: 65536 bytes are too many');
  });

  it('has parts one behind the other, and bit strings of whole bytes', () => {
    expect(sequence()).toEqual(hex('30 00'));
    expect(sequence(integer(hex('05')), octetString(hex('c0ffee')))).toEqual(
      hex('30 08 02 01 05 04 03 c0ffee'),
    );
    expect(bitString(hex('c0ffee'))).toEqual(hex('03 04 00 c0ffee'));
    expect(explicit1(bitString(hex('04')))).toEqual(hex('a1 04 03 02 00 04'));
  });
});

/** X.690, section 8.1.3, worked out another way than the code does. */
function lengthHead(tag: string, length: number): string {
  const digits = length.toString(16).padStart(2, '0');
  if (length < 128) return tag + digits;
  return length < 256 ? `${tag}81${digits}` : `${tag}82${digits.padStart(4, '0')}`;
}

describe('readOctetString', () => {
  it('passes over what stands behind', () => {
    expect(readOctetString(hex('04 02 aabb ffff'))).toEqual(hex('aabb'));
  });

  it.each([
    ['nothing', ''],
    ['a tag alone', '04'],
    ['a value that is cut off', '04 02 aa'],
    ['a length that is cut off', '04 81'],
    ['a long length that is cut off', '04 82 01'],
    ['a long value that is cut off', '04 82 01 00 aa'],
  ])('refuses %s', (_what, bytes) => {
    expect(() => readOctetString(hex(bytes))).toThrow('DER: an element is cut off');
  });

  it.each([
    ['without an end', '04 80 aa 00 00'],
    ['of three bytes', '04 83 000001 aa'],
    ['of 127 bytes', `04 ff ${'00'.repeat(127)}`],
  ])('refuses a length %s', (_what, bytes) => {
    expect(() => readOctetString(hex(bytes))).toThrow('DER: a length is not supported');
  });

  it('refuses another type', () => {
    expect(() => readOctetString(hex('03 02 00 aa'))).toThrow('DER: expected tag 4, found 3');
  });
});

describe('the readers', () => {
  /** Bytes as they come, and bytes with a head that promises something. */
  const suspicious = fc
    .tuple(
      fc.constantFrom('', '04', '0481', '0482', '30', '3082', '300702010030000403'),
      fc.uint8Array({ maxLength: 80 }),
    )
    .map(([head, rest]) => Buffer.concat([hex(head), rest]));

  it.each([
    ['readOctetString', readOctetString],
    ['readEcPrivateNumber', readEcPrivateNumber],
  ])('%s gives a part of what it was given, or a DER error, whatever the bytes', (_name, read) => {
    fc.assert(
      fc.property(suspicious, fc.nat(20), (given, before) => {
        // In the middle of a larger memory, as buffers from a pool are.
        const memory = Buffer.alloc(before + given.length + 300, 0x04);
        given.copy(memory, before);
        const bytes = memory.subarray(before, before + given.length);
        try {
          const part = read(bytes);
          expect(part.buffer).toBe(bytes.buffer);
          expect(part.byteOffset).toBeGreaterThanOrEqual(bytes.byteOffset);
          expect(part.byteOffset + part.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: DER: /);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('elementLength is never more than there is', () => {
    fc.assert(
      fc.property(suspicious, (bytes) => {
        try {
          expect(elementLength(bytes)).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: DER: /);
        }
      }),
    );
  });
});
