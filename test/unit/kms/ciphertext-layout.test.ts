import { keyPairSpec } from '../../../src/hsm/key-pair-specs';
import {
  type Ciphertext,
  dataHeader,
  decodeCiphertext,
  encodeCiphertext,
  headerOf,
  privateKeyHeader,
} from '../../../src/kms/ciphertext';
import type { KeyId } from '../../../src/kms/key';
import { everyKindByName, HEADER_BYTES } from './ciphertexts';

const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab' as KeyId;
const IV = Buffer.from('a0a1a2a3a4a5a6a7a8a9aaab', 'hex');
const TAG = 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff';

const P256_POINT = Buffer.concat([Buffer.from([4]), Buffer.alloc(32, 0xaa), Buffer.alloc(32, 0xbb)]);
const P521_POINT = Buffer.concat([Buffer.from([4]), Buffer.alloc(66, 0xcc), Buffer.alloc(66, 0xdd)]);

interface Vector {
  readonly name: string;
  readonly ciphertext: Ciphertext;
  /** Format, scheme, flags, spec; key id; version; p; point; IV; ciphertext and tag. */
  readonly hex: readonly string[];
}

/** Bytes that were written once and stay: what clients keep must open for ever. */
const VECTORS: readonly Vector[] = [
  {
    name: 'data of the first key version',
    ciphertext: {
      kind: 'data',
      keyId: KEY_ID,
      version: 1,
      iv: IV,
      sealed: Buffer.from(`c0ffee${TAG}`, 'hex'),
    },
    hex: [
      '01010000',
      '1234abcd12ab34cd56ef1234567890ab',
      '00000001',
      '0000',
      '',
      'a0a1a2a3a4a5a6a7a8a9aaab',
      `c0ffee${TAG}`,
    ],
  },
  {
    name: 'a P-256 private key, KWP inside GCM',
    ciphertext: {
      kind: 'private-key',
      keyId: KEY_ID,
      version: 2,
      spec: keyPairSpec('ECC_NIST_P256'),
      wrapping: 'kwp+gcm',
      sealedKey: false,
      format: 'DER',
      point: P256_POINT,
      iv: IV,
      sealed: Buffer.from(`0123${TAG}`, 'hex'),
    },
    hex: [
      '01020004',
      '1234abcd12ab34cd56ef1234567890ab',
      '00000002',
      '0041',
      `04${'aa'.repeat(32)}${'bb'.repeat(32)}`,
      'a0a1a2a3a4a5a6a7a8a9aaab',
      `0123${TAG}`,
    ],
  },
  {
    name: 'a sealed P-521 private key, wrapped by GCM',
    ciphertext: {
      kind: 'private-key',
      keyId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' as KeyId,
      version: 0x01020304,
      spec: keyPairSpec('ECC_NIST_P521'),
      wrapping: 'gcm',
      sealedKey: true,
      format: 'DER',
      point: P521_POINT,
      iv: IV,
      sealed: Buffer.from(`4567${TAG}`, 'hex'),
    },
    hex: [
      '01030106',
      'f'.repeat(32),
      '01020304',
      '0085',
      `04${'cc'.repeat(66)}${'dd'.repeat(66)}`,
      'a0a1a2a3a4a5a6a7a8a9aaab',
      `4567${TAG}`,
    ],
  },
  {
    name: 'a sealed RSA-3072 private key, KWP inside GCM',
    ciphertext: {
      kind: 'private-key',
      keyId: KEY_ID,
      version: 1,
      spec: keyPairSpec('RSA_3072'),
      wrapping: 'kwp+gcm',
      sealedKey: true,
      format: 'DER',
      point: Buffer.alloc(0),
      iv: IV,
      sealed: Buffer.from(`89ab${TAG}`, 'hex'),
    },
    hex: [
      '01020102',
      '1234abcd12ab34cd56ef1234567890ab',
      '00000001',
      '0000',
      '',
      'a0a1a2a3a4a5a6a7a8a9aaab',
      `89ab${TAG}`,
    ],
  },
];

describe('the ciphertext format', () => {
  it.each(VECTORS)('writes $name as it always did', ({ ciphertext, hex }) => {
    expect(encodeCiphertext(ciphertext).toString('hex')).toBe(hex.join(''));
  });

  it.each(VECTORS)('reads $name as it always did', ({ ciphertext, hex }) => {
    expect(decodeCiphertext(Buffer.from(hex.join(''), 'hex'))).toEqual(ciphertext);
  });

  it.each([
    ['RSA_2048', 1],
    ['RSA_3072', 2],
    ['RSA_4096', 3],
    ['ECC_NIST_P256', 4],
    ['ECC_NIST_P384', 5],
    ['ECC_NIST_P521', 6],
    ['ECC_SECG_P256K1', 7],
  ] as const)('has a byte for %s that never changes', (name, code) => {
    const header = privateKeyHeader(KEY_ID, 1, {
      spec: keyPairSpec(name),
      wrapping: 'gcm',
      sealedKey: false,
      format: 'DER',
    });
    expect(header[3]).toBe(code);
  });

  it.each(everyKindByName)('puts every part of $name where the table says', ({ ciphertext }) => {
    const blob = encodeCiphertext(ciphertext);
    const point = ciphertext.kind === 'data' ? Buffer.alloc(0) : ciphertext.point;
    const p = point.length;
    expect(blob[0]).toBe(1);
    expect(blob[1]).toBe(ciphertext.kind === 'data' ? 1 : { 'kwp+gcm': 2, gcm: 3 }[ciphertext.wrapping]);
    expect(blob[2]).toBe(ciphertext.kind === 'private-key' && ciphertext.sealedKey ? 1 : 0);
    expect(blob[3]).toBe(ciphertext.kind === 'data' ? 0 : ciphertext.spec.code);
    expect(blob.toString('hex', 4, 20)).toBe(ciphertext.keyId.replaceAll('-', ''));
    expect(blob.readUInt32BE(20)).toBe(ciphertext.version);
    expect(blob.readUInt16BE(24)).toBe(p);
    expect(blob.subarray(26, 26 + p)).toEqual(point);
    expect(blob.subarray(26 + p, 38 + p)).toEqual(ciphertext.iv);
    expect(blob.subarray(38 + p)).toEqual(ciphertext.sealed);
  });

  it.each(everyKindByName)('authenticates as header all of $name before the IV', ({ ciphertext }) => {
    const blob = encodeCiphertext(ciphertext);
    const header = headerOf(ciphertext);
    expect(blob.indexOf(ciphertext.iv, HEADER_BYTES)).toBe(header.length);
    expect(header).toEqual(blob.subarray(0, header.length));
  });
});

describe('headers before the ciphertext is there', () => {
  it('are those of the data that will be encrypted', () => {
    const header = dataHeader(KEY_ID, 7);
    expect(header.toString('hex')).toBe('010100001234abcd12ab34cd56ef1234567890ab000000070000');
  });

  it('are those of the private key that will be wrapped, up to the length of its point', () => {
    const about = {
      spec: keyPairSpec('ECC_SECG_P256K1'),
      wrapping: 'gcm',
      sealedKey: true,
      format: 'DER',
    } as const;
    const header = privateKeyHeader(KEY_ID, 7, about);
    expect(header.toString('hex')).toBe('010301071234abcd12ab34cd56ef1234567890ab00000007');
  });
});
