/** Which mechanisms a token has, with the flags that p11kms needs, and which of them it was seen to do. */
import { MechanismFlag } from 'graphene-pk11';
import type { GcmIvSource, MechanismReport } from '../report';
import { faultOf } from './ckr';
import { type Connection, renewSession } from './connection';
import { proveGcm, proveGcmWrap, proveKwp, takesKnownKeys } from './proofs';
import { MECHANISM } from './session';

const { ENCRYPT, DECRYPT, WRAP, UNWRAP, GENERATE, GENERATE_KEY_PAIR } = MechanismFlag;

const NEEDED = {
  aesKeyGen: { name: 'CKM_AES_KEY_GEN', number: MECHANISM.AES_KEY_GEN, flags: GENERATE },
  gcm: { name: 'CKM_AES_GCM encrypt', number: MECHANISM.AES_GCM, flags: ENCRYPT | DECRYPT },
  gcmWrap: { name: 'CKM_AES_GCM wrap', number: MECHANISM.AES_GCM, flags: WRAP | UNWRAP },
  kwp: { name: 'CKM_AES_KEY_WRAP_KWP', number: MECHANISM.AES_KEY_WRAP_KWP, flags: WRAP | UNWRAP },
  pad: { name: 'CKM_AES_KEY_WRAP_PAD', number: MECHANISM.AES_KEY_WRAP_PAD, flags: WRAP | UNWRAP },
  ec: { name: 'CKM_EC_KEY_PAIR_GEN', number: MECHANISM.EC_KEY_PAIR_GEN, flags: GENERATE_KEY_PAIR },
  rsa: {
    name: 'CKM_RSA_PKCS_KEY_PAIR_GEN',
    number: MECHANISM.RSA_PKCS_KEY_PAIR_GEN,
    flags: GENERATE_KEY_PAIR,
  },
} as const;

export type Needed = keyof typeof NEEDED;

export interface Proof {
  readonly holds: boolean;
  readonly note?: string;
}

/** Runs a proof. One that fails may have left an operation active, so the next gets a fresh session. */
export function prove(connection: Connection, proof: () => void): Proof {
  try {
    proof();
    return { holds: true };
  } catch (error) {
    renewSession(connection);
    return { holds: false, note: faultOf(error).message };
  }
}

export interface Mechanisms {
  readonly reports: Readonly<Record<Needed, MechanismReport>>;
  /** Found and, where there is something to prove, proved. */
  readonly usable: Readonly<Record<Needed, boolean>>;
  /** The number that does RFC 5649, if one does. */
  readonly kwpMechanism?: number;
}

export function inspectMechanisms(connection: Connection, gcmIv: GcmIvSource): Mechanisms {
  const { session } = connection;
  const knownKeys = prove(connection, () => takesKnownKeys(session)).holds;
  const proofOf: Partial<Record<Needed, () => void>> = {
    gcm: () => proveGcm(session, gcmIv, knownKeys),
    gcmWrap: () => proveGcmWrap(session, gcmIv, knownKeys),
    kwp: () => proveKwp(session, MECHANISM.AES_KEY_WRAP_KWP, knownKeys),
    pad: () => proveKwp(session, MECHANISM.AES_KEY_WRAP_PAD, knownKeys),
  };
  const inspect = (key: Needed): MechanismReport => {
    const { name, number, flags } = NEEDED[key];
    if (!hasMechanism(connection, number, flags)) return { name, number, found: false };
    const proof = proofOf[key];
    if (!proof) return { name, number, found: true };
    const { holds, note } = prove(connection, proof);
    return { name, number, found: true, proved: holds, ...(note && { note }) };
  };
  const reports = mapValues(NEEDED, (_, key) => inspect(key));
  const usable = mapValues(reports, ({ found, proved }) => found && proved !== false);
  const kwp = usable.kwp ? NEEDED.kwp.number : usable.pad ? NEEDED.pad.number : undefined;
  return { reports, usable, ...(kwp !== undefined && { kwpMechanism: kwp }) };
}

function hasMechanism({ slot, session }: Connection, number: number, flags: number): boolean {
  try {
    if (!session.lib.C_GetMechanismList(slot.handle).includes(number)) return false;
    return (session.lib.C_GetMechanismInfo(slot.handle, number).flags & flags) === flags;
  } catch {
    return false;
  }
}

function mapValues<K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  to: (value: V, key: K) => R,
): Record<K, R> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, to(value as V, key as K)]),
  ) as Record<K, R>;
}
