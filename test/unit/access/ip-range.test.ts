import { BlockList } from 'node:net';
import fc from 'fast-check';
import { isWithin, readIpRange } from '../../../src/access/ip-range';

const rangeOf = (text: string) => {
  const range = readIpRange(text);
  if (!range) throw new Error(`${text} is no range`);
  return range;
};

describe('a range of addresses', () => {
  it.each(['', 'x', '10.0.0', '10.0.0.256', '010.0.0.1', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8'])(
    '%j is none',
    (text) => expect(readIpRange(text)).toBeUndefined(),
  );

  it.each([':::', '::1/129', '1:2:3:4:5:6:7', '::/-1', '::g', '/8', '10.0.0.0/+8'])('%j is none', (text) =>
    expect(readIpRange(text)).toBeUndefined(),
  );

  it('of IPv4 in the clothes of IPv6 that is wider than IPv4 has no IPv4 in it', () => {
    expect(isWithin(rangeOf('10.0.0.1'), rangeOf('::ffff:0:0/95'))).toBe(false);
    expect(isWithin(rangeOf('10.0.0.1'), rangeOf('::ffff:0:0/96'))).toBe(true);
  });

  it('is not within a narrower one', () => {
    expect(isWithin(rangeOf('10.0.0.0/8'), rangeOf('10.0.0.0/9'))).toBe(false);
    expect(isWithin(rangeOf('10.0.0.0/9'), rangeOf('10.0.0.0/8'))).toBe(true);
  });

  it.each([
    { family: 'ipv4' as const, addresses: fc.ipV4(), bits: 32 },
    { family: 'ipv6' as const, addresses: fc.ipV6(), bits: 128 },
  ])('has in it what Node says: $family', ({ family, addresses, bits }) => {
    const isMapped = (address: string) => readIpRange(address)?.version === 4;
    const six = addresses.filter((address) => family === 'ipv4' || !isMapped(address));
    fc.assert(
      fc.property(six, six, fc.nat(bits), fc.boolean(), (base, other, length, isNear) => {
        const list = new BlockList();
        list.addSubnet(base, length, family);
        const address = isNear ? base : other;
        const isIn = isWithin(rangeOf(address), rangeOf(`${base}/${length}`));
        expect(isIn).toBe(list.check(address, family));
      }),
      { numRuns: 2_000 },
    );
  });

  it('has in it the addresses that agree in its bits', () => {
    const dotted = (bits: number) => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
    const word = fc.nat(0xffff_ffff);
    fc.assert(
      fc.property(word, fc.nat(32), fc.integer({ min: 1, max: 32 }), (bits, length, flipped) => {
        const other = (bits ^ (1 << (32 - flipped))) >>> 0;
        expect(isWithin(rangeOf(dotted(other)), rangeOf(`${dotted(bits)}/${length}`))).toBe(flipped > length);
      }),
    );
  });
});
