import { createECDH, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type EcKey, KEY_PAIR_SPECS, type KeyPairSpec } from '../../../src/hsm/key-pair-specs';
import { bitString, explicit1, integer, octetString, sequence } from '../../../src/hsm/worker/der';

export type EcSpec = KeyPairSpec & { readonly key: EcKey };

export const EC_SPECS = [...KEY_PAIR_SPECS.values()].filter((spec): spec is EcSpec => spec.key.type === 'EC');

/** EC keys in the forms in which tokens give them. */
export interface EcPair {
  /** As long as the field. */
  readonly number: Buffer;
  readonly point: Buffer;
}

export const fieldBytes = ({ key }: EcSpec): number => (key.pointBytes - 1) / 2;

/** The key with this private number. */
export function pairOf(spec: EcSpec, number: Buffer): EcPair {
  const ecdh = createECDH(spec.key.namedCurve);
  ecdh.setPrivateKey(number);
  const padded = Buffer.concat([Buffer.alloc(fieldBytes(spec) - number.length), number]);
  return { number: padded, point: ecdh.getPublicKey() };
}

export function randomPair(spec: EcSpec): EcPair & { readonly privateKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: spec.key.namedCurve });
  const number = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  return { ...pairOf(spec, number), privateKey };
}

const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');

/** PKCS#8 around ECPrivateKey, with the number as it is given and a public key where one is given. */
export function pkcs8(spec: EcSpec, number: Buffer, publicKey?: Buffer): Buffer {
  const inside = publicKey ? [explicit1(bitString(publicKey))] : [];
  const inner = sequence(integer(Buffer.from([1])), octetString(number), ...inside);
  return sequence(integer(Buffer.alloc(0)), sequence(EC_PUBLIC_KEY, spec.key.curve), octetString(inner));
}

export const withoutLeadingZeros = (number: Buffer): Buffer =>
  number.subarray(number.findIndex((byte) => byte !== 0));

/** What tokens leave behind a key that they have unwrapped. */
export const padded = (bytes: Buffer, count = 5): Buffer => Buffer.concat([bytes, Buffer.alloc(count)]);
