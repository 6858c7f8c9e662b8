/** The capability report: what a token is, which way of wrapping follows, and which specs work with it. */
import { KEY_PAIR_SPECS, type KeyPairSpec, keyPairSpec } from '../key-pair-specs';
import type { Dialect, GcmIvSource, SpecReport, TokenReport } from '../report';
import type { Connection } from './connection';
import { inspectMechanisms, type Mechanisms, type Needed, type Proof, prove } from './mechanisms';
import { proveExport, proveKeyPair, proveWrapping } from './proofs';
import { generateAesKey, MECHANISM, withObject } from './session';
import { sessionAesKey } from './templates';
import type { WrappingKeys } from './wrapping';

/** Finds out what the token can do. Makes session objects only, and destroys them. */
export function findCapabilities(connection: Connection, gcmIv: GcmIvSource): TokenReport {
  const mechanisms = inspectMechanisms(connection, gcmIv);
  const choice = chooseDialect(connection, gcmIv, mechanisms);
  const { dialect } = choice;
  return {
    ...identity(connection),
    mechanisms: Object.values(mechanisms.reports),
    specs: dialect ? specsThatWork(connection, gcmIv, dialect, mechanisms) : [],
    ...(dialect && { dialect }),
    canExport: exportWorks(connection, choice),
    missing: dialect ? [] : whatIsMissing(mechanisms, choice.notes),
    warnings: connection.warnings,
  };
}

type Choice =
  | { readonly dialect: Dialect; readonly provedWith: KeyPairSpec; readonly notes: readonly string[] }
  | { readonly dialect?: undefined; readonly notes: readonly string[] };

function exportWorks(connection: Connection, choice: Choice): boolean {
  if (!choice.dialect) return false;
  const { dialect, provedWith } = choice;
  if (dialect.kwpMechanism === undefined) return false;
  return prove(connection, () => proveExport(connection.session, dialect, provedWith)).holds;
}

/** The first way of wrapping that carries an EC key and an RSA key there and back. */
function chooseDialect(connection: Connection, gcmIv: GcmIvSource, mechanisms: Mechanisms): Choice {
  const { usable } = mechanisms;
  const specs = [
    ...(usable.ec ? [keyPairSpec('ECC_NIST_P256')] : []),
    ...(usable.rsa ? [keyPairSpec('RSA_2048')] : []),
  ];
  const [provedWith] = specs;
  const notes: string[] = [];
  if (!usable.gcm || !usable.aesKeyGen || !provedWith) return { notes };
  for (const dialect of candidates(mechanisms)) {
    const failure = specs
      .map((spec) => proveSpec(connection, gcmIv, dialect, spec, proveKeyPair))
      .find(({ holds }) => !holds);
    if (!failure) return { dialect, provedWith, notes };
    notes.push(`${dialect.wrapping} wrapping that carries a key there and back (${failure.note})`);
  }
  return { notes: [...new Set(notes)] };
}

function candidates({ usable, kwpMechanism }: Mechanisms): Dialect[] {
  const kwp = kwpMechanism === undefined ? {} : { kwpMechanism };
  const wrappings = [
    ...(usable.gcmWrap ? (['gcm'] as const) : []),
    ...(kwpMechanism === undefined ? [] : (['kwp+gcm'] as const)),
  ];
  return wrappings.flatMap((wrapping) =>
    [false, true].map((ecUnwrapTakesPoint) => ({ wrapping, ...kwp, ecUnwrapTakesPoint })),
  );
}

function proveSpec(
  connection: Connection,
  gcmIv: GcmIvSource,
  dialect: Dialect,
  spec: KeyPairSpec,
  proof: typeof proveKeyPair,
): Proof {
  const { session } = connection;
  return prove(connection, () =>
    withWrappingKeys(session, (keys) => proof(session, dialect, gcmIv, spec, keys)),
  );
}

function withWrappingKeys(session: Connection['session'], use: (keys: WrappingKeys) => void): void {
  withObject(session, generateAesKey(session, sessionAesKey('encrypt')), (encrypt) =>
    withObject(session, generateAesKey(session, sessionAesKey('wrap')), (wrap) => use({ encrypt, wrap })),
  );
}

/** EC specs are generated and wrapped once; an RSA pair of 4096 bits takes a second, so its size is looked up. */
function specsThatWork(
  connection: Connection,
  gcmIv: GcmIvSource,
  dialect: Dialect,
  { usable }: Mechanisms,
): SpecReport[] {
  return [...KEY_PAIR_SPECS.values()].map((spec) => {
    const { holds, note } =
      spec.key.type === 'RSA'
        ? rsaSize(connection, usable.rsa, spec.key.modulusBits)
        : usable.ec
          ? proveSpec(connection, gcmIv, dialect, spec, proveWrapping)
          : { holds: false, note: 'the token generates no EC key pairs' };
    return { name: spec.name, works: holds, ...(note && { note }) };
  });
}

function rsaSize({ slot, session }: Connection, usable: boolean, bits: number): Proof {
  if (!usable) return { holds: false, note: 'the token generates no RSA key pairs' };
  const { minKeySize, maxKeySize } = session.lib.C_GetMechanismInfo(
    slot.handle,
    MECHANISM.RSA_PKCS_KEY_PAIR_GEN,
  );
  const holds = bits >= minKeySize && bits <= maxKeySize;
  return holds
    ? { holds }
    : { holds, note: `the token makes RSA keys of ${minKeySize} to ${maxKeySize} bits` };
}

function whatIsMissing(mechanisms: Mechanisms, notes: readonly string[]): string[] {
  const { usable, kwpMechanism } = mechanisms;
  const missing: string[] = [];
  if (!usable.aesKeyGen) missing.push('CKM_AES_KEY_GEN');
  if (!usable.gcm) missing.push(`CKM_AES_GCM encryption${because(mechanisms, ['gcm'])}`);
  if (!usable.gcmWrap && kwpMechanism === undefined) {
    const way = 'a way to wrap private keys (CKM_AES_GCM with CKF_WRAP, or RFC 5649 key wrapping)';
    missing.push(`${way}${because(mechanisms, ['gcmWrap', 'kwp', 'pad'])}`);
  }
  if (!usable.ec && !usable.rsa) missing.push('key pair generation (EC or RSA)');
  return [...missing, ...notes];
}

/** How the token failed at what it said it does. */
function because({ reports }: Mechanisms, tried: readonly Needed[]): string {
  const failures = tried
    .map((key) => reports[key])
    .filter(({ proved }) => proved === false)
    .map(({ name, note }) => `${name}: ${note}`);
  return failures.length > 0 ? `: ${failures.join(', ')}` : '';
}

/** CK_UNAVAILABLE_INFORMATION, as 64 and as 32 bits. */
const UNTOLD: ReadonlySet<number> = new Set([Number(0xffffffffffffffffn), 0xffffffff]);

function told(value: number | bigint): number | undefined {
  const number = Number(value);
  return UNTOLD.has(number) ? undefined : number;
}

/** Of sessions, 0 is CK_EFFECTIVELY_INFINITE. */
const toldSessions = (value: number | bigint): number | undefined => told(value) || undefined;

/** Nothing free is a full token, but nothing free of nothing is one that does not know. */
const toldMemory = (free: number | bigint, total: number | bigint): number | undefined =>
  Number(total) === 0 ? undefined : told(free);

function identity({ module, slot }: Connection): Pick<TokenReport, 'module' | 'token' | 'limits'> {
  const token = slot.getToken();
  const { major, minor } = module.libraryVersion;
  const limits = {
    maxSessions: toldSessions(token.maxSessionCount),
    maxReadWriteSessions: toldSessions(token.maxRwSessionCount),
    openSessions: toldSessions(token.sessionCount),
    freePrivateMemory: toldMemory(token.freePrivateMemory, token.totalPrivateMemory),
    freePublicMemory: toldMemory(token.freePublicMemory, token.totalPublicMemory),
  };
  return {
    module: {
      description: module.libraryDescription,
      manufacturer: module.manufacturerID,
      version: `${major}.${minor}`,
    },
    token: {
      label: token.label,
      serial: token.serialNumber,
      model: token.model,
      manufacturer: token.manufacturerID,
      firmware: `${token.firmwareVersion.major}.${token.firmwareVersion.minor}`,
    },
    limits: Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
  };
}
