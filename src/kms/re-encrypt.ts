/** Moving a ciphertext under another key, or the same key's newest version, without letting the plaintext out. */
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import type { About } from './authorization';
import {
  type DataCiphertext,
  dataHeader,
  encodeCiphertext,
  headerOf,
  type PrivateKeyCiphertext,
} from './ciphertext';
import { type EncryptingVersion, encryptingVersion } from './encrypting-version';
import { type CiphertextReference, findCiphertext } from './found-ciphertext';
import type { Key, KeyVersion } from './key';
import { assertAlgorithm, type EncryptionAlgorithm } from './key-usage';
import type { Call, Kms } from './kms';
import { assertUnwraps } from './private-key';
import { cryptographic, dryRunOk, stopDryRun, usableKey } from './usable-key';

export interface ReEncryptRequest {
  readonly source: CiphertextReference;
  readonly destinationKeyId: string;
  /** What the new ciphertext is bound to. */
  readonly authenticated: AuthenticatedData;
  /** Of the destination; SYMMETRIC_DEFAULT where absent. */
  readonly algorithm?: EncryptionAlgorithm;
  readonly dryRun: boolean;
}

export interface ReEncrypted {
  readonly source: { readonly key: Key; readonly version: KeyVersion };
  readonly destination: { readonly key: Key; readonly version: KeyVersion };
  readonly ciphertext: Buffer;
}

/** Where a ciphertext is now. */
interface Source<C> {
  readonly ciphertext: C;
  readonly version: KeyVersion;
  readonly aad: Buffer;
}

interface Destination extends EncryptingVersion {
  /** The caller's part of what is authenticated. */
  readonly aadAfterHeader: Buffer;
}

/** Each half is a permission of its own. */
const from = (authenticated: AuthenticatedData): About => ({
  ...cryptographic(authenticated),
  action: 'ReEncryptFrom',
});
const to = (authenticated: AuthenticatedData): About => ({
  ...cryptographic(authenticated),
  action: 'ReEncryptTo',
});

/**
 * A private key stays one, and sealed if it was.
 *
 * @throws KmsError what `findCiphertext` and `encryptingVersion` throw
 */
export async function reEncrypt(kms: Kms, call: Call, request: ReEncryptRequest): Promise<ReEncrypted> {
  const { ciphertext, ...source } = await findCiphertext(
    kms,
    call,
    request.source,
    from(request.source.authenticated),
  );
  if (ciphertext.kind === 'private-key') assertUnwraps(kms, ciphertext);
  const { encryptionContext } = call;
  call.from = { keyId: source.key.id, ...(encryptionContext && { encryptionContext }) };
  const usable = await usableKey(kms, call, request.destinationKeyId, to(request.authenticated));
  assertAlgorithm(request.algorithm);
  const aadAfterHeader = encodeAuthenticatedData(request.authenticated);
  stopDryRun(request.dryRun);
  const destination = { aadAfterHeader, ...(await encryptingVersion(kms, usable)) };
  call.details = { sourceKeyVersion: source.version.number, keyVersion: destination.version.number };
  const moved =
    ciphertext.kind === 'private-key'
      ? await movePrivateKey(kms, call, { ...source, ciphertext }, destination)
      : await moveData(kms, call, { ...source, ciphertext }, destination);
  kms.usage.note(source.key, call);
  kms.usage.note(destination.key, call);
  return { source, destination, ciphertext: encodeCiphertext(moved) };
}

async function moveData(
  kms: Kms,
  call: Call,
  { ciphertext: { iv, sealed }, version: from, aad }: Source<DataCiphertext>,
  { key, version: to, aadAfterHeader, mayRepeat }: Destination,
): Promise<DataCiphertext> {
  const job = {
    source: { object: from.encryptObject, aad, iv, sealed },
    destination: {
      object: to.encryptObject,
      aad: Buffer.concat([dataHeader(key.id, to.number), aadAfterHeader]),
    },
  };
  const output = await kms.token.run('reEncrypt', job, call, mayRepeat);
  return { kind: 'data', keyId: key.id, version: to.number, ...output };
}

async function movePrivateKey(
  kms: Kms,
  call: Call,
  { ciphertext, version: from, aad }: Source<PrivateKeyCiphertext>,
  { key, version: to, aadAfterHeader, mayRepeat }: Destination,
): Promise<PrivateKeyCiphertext> {
  const { spec, point, iv, sealed } = ciphertext;
  const { wrapping } = kms.token.report.dialect;
  const moved = { ...ciphertext, keyId: key.id, version: to.number, wrapping };
  const job = {
    spec: spec.name,
    point,
    source: { ...objectsOf(from), wrapping: ciphertext.wrapping, aad, iv, sealed },
    destination: { ...objectsOf(to), aad: Buffer.concat([headerOf(moved), aadAfterHeader]) },
  };
  return { ...moved, ...(await kms.token.run('rewrapPrivateKey', job, call, mayRepeat)) };
}

function objectsOf({ encryptObject, wrapObject }: KeyVersion) {
  return { encryptObject, wrapObject };
}

interface NamedKey {
  readonly keyId: string;
  readonly authenticated: AuthenticatedData;
}

/** Whether both keys could be used; never resolves, because that is all that a dry run tells. */
export async function dryRunWithoutCiphertext(
  kms: Kms,
  call: Call,
  { source, destination }: { readonly source: NamedKey; readonly destination: NamedKey },
): Promise<never> {
  await usableKey(kms, call, source.keyId, from(source.authenticated));
  await usableKey(kms, call, destination.keyId, to(destination.authenticated));
  throw dryRunOk();
}
