import fc from 'fast-check';
import { KmsError } from '../../../src/errors';
import { KEY_PAIR_SPECS, type KeyPairSpec } from '../../../src/hsm/key-pair-specs';
import {
  type Ciphertext,
  type DataCiphertext,
  decodeCiphertext,
  type PrivateKeyCiphertext,
} from '../../../src/kms/ciphertext';
import type { KeyId } from '../../../src/kms/key';

/** Where things stand, from design to test without the code in between. */
export const AT = {
  format: 0,
  scheme: 1,
  flags: 2,
  spec: 3,
  keyId: 4,
  version: 20,
  pointLength: 24,
} as const;
export const HEADER_BYTES = 26;
export const IV_AND_TAG_BYTES = 12 + 16;

export const pointBytesOf = ({ key }: KeyPairSpec): number => (key.type === 'EC' ? key.pointBytes : 0);

export const bytes = (minLength: number, maxLength = minLength): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));

const keyId = bytes(16).map((id) =>
  id.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5'),
) as fc.Arbitrary<KeyId>;

const sealedPart = {
  keyId,
  version: fc.integer({ min: 0, max: 0xffffffff }),
  iv: bytes(12),
  sealed: bytes(16, 400),
};

export const dataCiphertext: fc.Arbitrary<DataCiphertext> = fc.record({
  kind: fc.constant('data' as const),
  ...sealedPart,
});

export const privateKeyCiphertext: fc.Arbitrary<PrivateKeyCiphertext> = fc
  .constantFrom(...KEY_PAIR_SPECS.values())
  .chain((spec) =>
    fc.record({
      kind: fc.constant('private-key' as const),
      ...sealedPart,
      spec: fc.constant(spec),
      wrapping: fc.constantFrom('gcm' as const, 'kwp+gcm' as const),
      sealedKey: fc.boolean(),
      format: fc.constantFrom('DER' as const, 'PEM' as const),
      point: bytes(pointBytesOf(spec)),
    }),
  );

export const anyCiphertext: fc.Arbitrary<Ciphertext> = fc.oneof(dataCiphertext, privateKeyCiphertext);

/** Data, then every spec under both wrappings, open and sealed, as DER and as PEM. */
export const everyKind: readonly Ciphertext[] = [
  {
    kind: 'data',
    keyId: '00112233-4455-6677-8899-aabbccddeeff' as KeyId,
    version: 1,
    iv: Buffer.alloc(12, 0x11),
    sealed: Buffer.alloc(20, 0x22),
  },
  ...[...KEY_PAIR_SPECS.values()].flatMap((spec) =>
    (['gcm', 'kwp+gcm'] as const).flatMap((wrapping) =>
      [
        { sealedKey: false, format: 'DER' as const },
        { sealedKey: true, format: 'DER' as const },
        { sealedKey: false, format: 'PEM' as const },
      ].map(({ sealedKey, format }) => ({
        kind: 'private-key' as const,
        keyId: '00112233-4455-6677-8899-aabbccddeeff' as KeyId,
        version: 0xfffefdfc,
        spec,
        wrapping,
        sealedKey,
        format,
        point: Buffer.alloc(pointBytesOf(spec), 0x04),
        iv: Buffer.alloc(12, 0x11),
        sealed: Buffer.alloc(64, 0x22),
      })),
    ),
  ),
];

/** Says in a test's name which ciphertext it is about. */
export const nameOf = (ciphertext: Ciphertext): string =>
  ciphertext.kind === 'data'
    ? 'data'
    : [
        ciphertext.spec.name,
        ciphertext.wrapping,
        ...(ciphertext.sealedKey ? ['sealed'] : []),
        ...(ciphertext.format === 'PEM' ? ['PEM'] : []),
      ].join(' ');

export const everyKindByName = everyKind.map((ciphertext) => ({ name: nameOf(ciphertext), ciphertext }));

/** `CODE: message` of the KmsError that decoding throws, or `decoded`; any other error fails the test. */
export function refusalOf(blob: Buffer): string {
  try {
    decodeCiphertext(blob);
  } catch (error) {
    if (error instanceof KmsError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'decoded';
}

export const REFUSAL = 'INVALID_CIPHERTEXT: The ciphertext or its encryption context is not valid.';

/** The numbers of one byte that `keep` holds for. */
export const byteValues = (keep: (value: number) => boolean): number[] =>
  [...new Array(256).keys()].filter(keep);

/** A copy with one byte changed. */
export function withByte(blob: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(blob);
  copy.writeUInt8(value, at);
  return copy;
}
