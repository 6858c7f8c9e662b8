/**
 * The data key pair specs, under the names that AWS KMS gives them. An entry is all that any code needs to
 * know of a spec: no code below the table switches on a name.
 */
export interface KeyPairSpec {
  readonly name: KeyPairSpecName;
  /** The byte that stands for the spec in a ciphertext's header. Never reused, never renumbered. */
  readonly code: number;
  readonly key: RsaKey | EcKey;
}

export interface RsaKey {
  readonly type: 'RSA';
  readonly modulusBits: number;
}

export interface EcKey {
  readonly type: 'EC';
  /** The curve's object identifier, DER: what CKA_EC_PARAMS holds. */
  readonly curve: Buffer;
  /** Length of an uncompressed public point in bytes. */
  readonly pointBytes: number;
  /** The curve's name in node:crypto. */
  readonly namedCurve: string;
}

const NAMES = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
] as const;

export type KeyPairSpecName = (typeof NAMES)[number];

const rsa = (name: KeyPairSpecName, code: number, modulusBits: number): KeyPairSpec => ({
  name,
  code,
  key: { type: 'RSA', modulusBits },
});

const ec = (
  name: KeyPairSpecName,
  code: number,
  oid: string,
  pointBytes: number,
  namedCurve: string,
): KeyPairSpec => ({
  name,
  code,
  key: { type: 'EC', curve: Buffer.from(oid, 'hex'), pointBytes, namedCurve },
});

const SPECS: readonly KeyPairSpec[] = [
  rsa('RSA_2048', 1, 2048),
  rsa('RSA_3072', 2, 3072),
  rsa('RSA_4096', 3, 4096),
  ec('ECC_NIST_P256', 4, '06082a8648ce3d030107', 65, 'prime256v1'),
  ec('ECC_NIST_P384', 5, '06052b81040022', 97, 'secp384r1'),
  ec('ECC_NIST_P521', 6, '06052b81040023', 133, 'secp521r1'),
  ec('ECC_SECG_P256K1', 7, '06052b8104000a', 65, 'secp256k1'),
];

/** Every spec by name. A Map, so that `__proto__` is not a spec. */
export const KEY_PAIR_SPECS: ReadonlyMap<string, KeyPairSpec> = new Map(
  SPECS.map((spec) => [spec.name, spec]),
);

/** Every spec by the byte that stands for it in a ciphertext. */
export const KEY_PAIR_SPECS_BY_CODE: ReadonlyMap<number, KeyPairSpec> = new Map(
  SPECS.map((spec) => [spec.code, spec]),
);

/** The entry of a name that is known to be one. */
export function keyPairSpec(name: KeyPairSpecName): KeyPairSpec {
  const spec = KEY_PAIR_SPECS.get(name);
  if (!spec) throw new Error(`no key pair spec ${name}`);
  return spec;
}
