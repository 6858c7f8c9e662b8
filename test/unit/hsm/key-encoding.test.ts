import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { keyPairSpec } from '../../../src/hsm/key-pair-specs';
import { readEcPrivateNumber } from '../../../src/hsm/worker/der';
import { encodePrivateKey } from '../../../src/hsm/worker/key-encoding';
import {
  EC_SPECS,
  type EcSpec,
  fieldBytes,
  padded,
  pairOf,
  pkcs8,
  randomPair,
  withoutLeadingZeros,
} from './ec-keys';

const DER = { format: 'der', type: 'pkcs8' } as const;
const byName = EC_SPECS.map((spec) => ({ name: spec.name, spec }));

/** Private numbers with ever more zeros before them. */
const numbers = (spec: EcSpec): [string, Buffer][] => [
  ['any number', randomPair(spec).number],
  ['a number with a zero before it', Buffer.alloc(fieldBytes(spec) - 1, 0x5a)],
  ['a number with zeros before it', Buffer.alloc(fieldBytes(spec) - 7, 0xa5)],
  ['one', Buffer.from([1])],
];

const cases = EC_SPECS.flatMap((spec) =>
  numbers(spec).map(([what, number]) => ({ name: spec.name, what, spec, pair: pairOf(spec, number) })),
);

describe('readEcPrivateNumber', () => {
  it.each(byName)('reads what node:crypto writes, $name, also with padding behind it', ({ spec }) => {
    const { privateKey, number } = randomPair(spec);
    const der = privateKey.export(DER);
    expect(readEcPrivateNumber(der)).toEqual(number);
    expect(readEcPrivateNumber(padded(der, 300))).toEqual(number);
  });

  it.each(cases)('reads a key with and without its public half, $name, $what', ({ spec, pair }) => {
    const short = withoutLeadingZeros(pair.number);
    for (const number of [pair.number, short]) {
      expect(readEcPrivateNumber(pkcs8(spec, number, pair.point))).toEqual(number);
      expect(readEcPrivateNumber(padded(pkcs8(spec, number)))).toEqual(number);
    }
  });

  it.each(byName)('refuses $name cut off anywhere', ({ spec }) => {
    const der = randomPair(spec).privateKey.export(DER);
    for (let length = 0; length < der.length; length++) {
      expect(() => readEcPrivateNumber(der.subarray(0, length))).toThrow(/^DER: /);
    }
  });
});

describe('encodePrivateKey', () => {
  it.each(cases)('writes what node:crypto reads and would write, $name, $what', ({ spec, pair }) => {
    const { number, point } = pair;
    const encoded = encodePrivateKey(spec, padded(pkcs8(spec, number)), point);
    const key = createPrivateKey({ key: encoded, ...DER });
    expect(key.export(DER)).toEqual(encoded);
    expect(key.asymmetricKeyDetails).toEqual({ namedCurve: spec.key.namedCurve });
    const { d } = key.export({ format: 'jwk' });
    expect(Buffer.from(d ?? '', 'base64url')).toEqual(number);
    expect(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-point.length)).toEqual(
      point,
    );
  });

  it.each(cases)('has the public key inside and nothing behind, $name, $what', ({ spec, pair }) => {
    const { number, point } = pair;
    const encoded = encodePrivateKey(spec, pkcs8(spec, number), point);
    expect(encoded).toEqual(pkcs8(spec, number, point));
  });

  it.each(cases)('writes the same of every form that tokens use, $name, $what', ({ spec, pair }) => {
    const { number, point } = pair;
    const short = withoutLeadingZeros(number);
    const forms = [
      pkcs8(spec, number, point),
      padded(pkcs8(spec, number, point)),
      pkcs8(spec, short),
      padded(pkcs8(spec, short), 1),
      padded(pkcs8(spec, short, point)),
    ];
    for (const raw of forms) {
      const before = Buffer.from(raw);
      expect(encodePrivateKey(spec, raw, point)).toEqual(pkcs8(spec, number, point));
      // The caller zeroes it, and may not have done so yet.
      expect(raw).toEqual(before);
    }
  });

  it('writes RSA without what stands behind it', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = privateKey.export(DER);
    for (const raw of [der, padded(der, 1), padded(der, 600)]) {
      expect(encodePrivateKey(keyPairSpec('RSA_2048'), raw, Buffer.alloc(0))).toEqual(der);
    }
    expect(() => encodePrivateKey(keyPairSpec('RSA_2048'), der.subarray(0, -1), Buffer.alloc(0))).toThrow();
  });
});

describe('encodePrivateKey refuses', () => {
  const STRANGER = 'an unwrapped EC private key does not belong to its public key';

  it.each(byName)('a point of another key, $name', ({ spec }) => {
    const { number, point } = randomPair(spec);
    const other = randomPair(spec).point;
    for (const raw of [pkcs8(spec, number), pkcs8(spec, number, point), pkcs8(spec, number, other)]) {
      expect(() => encodePrivateKey(spec, raw, other)).toThrow(STRANGER);
    }
  });

  it.each(byName)('a point that is not on the curve, or not there, $name', ({ spec }) => {
    const { number, point } = randomPair(spec);
    const flipped = Buffer.from(point);
    flipped.writeUInt8(point.readUInt8(point.length - 1) ^ 1, point.length - 1);
    for (const bad of [flipped, Buffer.alloc(0), Buffer.alloc(point.length)]) {
      expect(() => encodePrivateKey(spec, pkcs8(spec, number), bad)).toThrow(STRANGER);
    }
  });

  it.each(byName)('a number that is no private key, $name', ({ spec }) => {
    const { point } = randomPair(spec);
    for (const number of [Buffer.alloc(fieldBytes(spec)), Buffer.alloc(fieldBytes(spec), 0xff)]) {
      expect(() => encodePrivateKey(spec, pkcs8(spec, number), point)).toThrow();
    }
  });

  it.each(byName)('a number that is longer than the field, $name', ({ spec }) => {
    const { number, point } = randomPair(spec);
    const long = Buffer.concat([Buffer.from([1]), number]);
    expect(() => encodePrivateKey(spec, pkcs8(spec, long), point)).toThrow(
      'the private number of an EC key is too long',
    );
  });
});
