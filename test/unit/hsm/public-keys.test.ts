import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { keyPairSpec } from '../../../src/hsm/key-pair-specs';
import { octetString } from '../../../src/hsm/worker/der';
import { readPublicKey } from '../../../src/hsm/worker/key-encoding';
import type { Session } from '../../../src/hsm/worker/session';
import { EC_SPECS, randomPair } from './ec-keys';

const CKA = { modulus: 0x120, exponent: 0x122, point: 0x181 };
const SPKI = { format: 'der', type: 'spki' } as const;
const OBJECT = Buffer.alloc(8) as unknown as Parameters<typeof readPublicKey>[1];

/** A session whose one object has these attributes. */
function sessionWith(attributes: ReadonlyMap<number, Buffer>): Session {
  const lib = {
    C_GetAttributeValue: (_session: unknown, _object: unknown, wanted: readonly { type: number }[]) =>
      wanted.map(({ type }) => ({ type, value: attributes.get(type) })),
  };
  return { lib, handle: Buffer.alloc(8) } as unknown as Session;
}

const withPoint = (point: Buffer): Session => sessionWith(new Map([[CKA.point, point]]));

describe('readPublicKey', () => {
  it.each(EC_SPECS.map((spec) => ({ name: spec.name, spec })))(
    'gives $name as node:crypto does, from a point in an OCTET STRING and from a bare one',
    ({ spec }) => {
      const { privateKey, point } = randomPair(spec);
      const spki = createPublicKey(privateKey).export(SPKI);
      for (const attribute of [octetString(point), point]) {
        expect(readPublicKey(withPoint(attribute), OBJECT, spec)).toEqual({ spki, point });
      }
    },
  );

  it.each([
    ['2048 bits', 2048, 0x10001],
    ['another exponent', 1024, 3],
  ])(
    'gives RSA as node:crypto does, %s, with zeros before its numbers or without',
    (_what, bits, exponent) => {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent });
      const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
      for (const zeros of [0, 1, 3]) {
        const number = (text: string) => Buffer.concat([Buffer.alloc(zeros), Buffer.from(text, 'base64url')]);
        const session = sessionWith(
          new Map([
            [CKA.modulus, number(n)],
            [CKA.exponent, number(e)],
          ]),
        );
        expect(readPublicKey(session, OBJECT, keyPairSpec('RSA_2048'))).toEqual({
          spki: publicKey.export(SPKI),
          point: Buffer.alloc(0),
        });
      }
    },
  );

  it('refuses what is no uncompressed point of the curve’s size', () => {
    const spec = keyPairSpec('ECC_NIST_P256');
    const compressed = Buffer.alloc(33, 2);
    const hybrid = Buffer.alloc(65, 6);
    const long = Buffer.alloc(97, 4);
    for (const point of [compressed, hybrid, long, Buffer.alloc(0)].map(octetString)) {
      expect(() => readPublicKey(withPoint(point), OBJECT, spec)).toThrow(
        'the token gives no uncompressed EC point',
      );
    }
    expect(() => readPublicKey(withPoint(hybrid), OBJECT, spec)).toThrow(
      'the token gives no uncompressed EC point',
    );
  });

  it('refuses an object that lacks what makes the key', () => {
    const nothing = sessionWith(new Map());
    expect(() => readPublicKey(nothing, OBJECT, keyPairSpec('RSA_2048'))).toThrow('no modulus or exponent');
    expect(() => readPublicKey(nothing, OBJECT, keyPairSpec('ECC_NIST_P384'))).toThrow('no point');
  });
});
