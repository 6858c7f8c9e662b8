/**
 * What every object that p11kms makes is allowed to do. The rules of the design in one place: no object has
 * both WRAP and DECRYPT or both UNWRAP and ENCRYPT; every private key is SENSITIVE; only session objects
 * that are about to be wrapped are EXTRACTABLE.
 */
import { type ITemplate, KeyType, ObjectClass, registerAttribute } from 'graphene-pk11';
import type { ObjectRole, TokenObject } from '../jobs';
import type { EcKey, KeyPairSpec, RsaKey } from '../key-pair-specs';
import { type PreparedTemplate, prepare } from './session';

/** NSS's own attribute for the public point of an EC key that is being unwrapped. */
const CKA_NSS_DB = 0xd5a0db00;
registerAttribute('nssDb', CKA_NSS_DB, 'buffer');

const NOTHING = {
  encrypt: false,
  decrypt: false,
  wrap: false,
  unwrap: false,
  sign: false,
  verify: false,
  derive: false,
} satisfies ITemplate;

const ROLE: Record<ObjectRole, ITemplate> = {
  encrypt: { encrypt: true, decrypt: true },
  wrap: { wrap: true, unwrap: true },
};

const aesKey = (role: ObjectRole): ITemplate => ({
  class: ObjectClass.SECRET_KEY,
  keyType: KeyType.AES,
  private: true,
  sensitive: true,
  extractable: false,
  ...NOTHING,
  ...ROLE[role],
});

/** A key version's object, or the service key: an AES-256 key that never leaves the token. */
export function tokenAesKey(role: ObjectRole, { id, label }: TokenObject): PreparedTemplate {
  return prepare({
    ...aesKey(role),
    token: true,
    modifiable: false,
    valueLen: 32,
    id: Buffer.from(id, 'hex'),
    label,
  });
}

/** An AES key that lives as long as the proof that needs it. */
export function sessionAesKey(role: ObjectRole): PreparedTemplate {
  return prepare({ ...aesKey(role), token: false, valueLen: 32 });
}

/** An AES-256 key whose 32 bytes the worker chose: the proofs' and the export path's. */
export function knownAesKey(role: ObjectRole, value: Buffer): PreparedTemplate {
  return prepare({ ...aesKey(role), token: false, value });
}

/** 32 known bytes to wrap, and for nothing else: a token's defaults would let them do everything. */
export function knownSecret(value: Buffer): PreparedTemplate {
  return prepare({
    class: ObjectClass.SECRET_KEY,
    keyType: KeyType.GENERIC_SECRET,
    token: false,
    private: true,
    sensitive: true,
    extractable: true,
    ...NOTHING,
    value,
  });
}

/** 32 bytes that the token makes, to wrap where it takes no known ones. */
export function extractableAesKey(): PreparedTemplate {
  return prepare({ ...aesKey('encrypt'), extractable: true, token: false, valueLen: 32 });
}

const publicKey: ITemplate = { class: ObjectClass.PUBLIC_KEY, token: false, private: false };

const privateKey: ITemplate = {
  class: ObjectClass.PRIVATE_KEY,
  token: false,
  private: true,
  sensitive: true,
  extractable: true,
};

export interface PairTemplates {
  readonly publicKey: PreparedTemplate;
  readonly privateKey: PreparedTemplate;
}

const F4 = Buffer.from([1, 0, 1]);

const parametersOf = (key: RsaKey | EcKey): ITemplate =>
  key.type === 'RSA' ? { modulusBits: key.modulusBits, publicExponent: F4 } : { paramsEC: key.curve };

/** A data key pair: session objects, extractable because they are made to be wrapped. */
export function dataKeyPair({ key }: KeyPairSpec): PairTemplates {
  return {
    publicKey: prepare({
      ...publicKey,
      keyType: key.type === 'RSA' ? KeyType.RSA : KeyType.EC,
      ...parametersOf(key),
      verify: true,
      encrypt: false,
      wrap: false,
    }),
    privateKey: prepare({
      ...privateKey,
      ...privateKeyUse,
      keyType: key.type === 'RSA' ? KeyType.RSA : KeyType.EC,
    }),
  };
}

/** An EC key pair that stays on the token, where its private key signs and does nothing else. */
export function tokenSigningPair(curve: Buffer, { id, label }: TokenObject): PairTemplates {
  const stays: ITemplate = {
    token: true,
    modifiable: false,
    keyType: KeyType.EC,
    id: Buffer.from(id, 'hex'),
    label,
  };
  return {
    publicKey: prepare({
      ...publicKey,
      ...stays,
      paramsEC: curve,
      verify: true,
      encrypt: false,
      wrap: false,
    }),
    privateKey: prepare({ ...privateKey, ...stays, ...privateKeyUse, extractable: false }),
  };
}

const privateKeyUse: ITemplate = { sign: true, decrypt: false, unwrap: false, derive: false };

/**
 * A wrapped private key on its way back into the token.
 *
 * @param point the uncompressed public point, for a token that wants it with an EC key
 */
export function unwrappedPrivateKey({ key }: KeyPairSpec, point?: Buffer): PreparedTemplate {
  const keyType = key.type === 'RSA' ? KeyType.RSA : KeyType.EC;
  const nss = point && key.type === 'EC' ? { nssDb: point } : {};
  return prepare({ ...privateKey, ...privateKeyUse, keyType, ...nss });
}
