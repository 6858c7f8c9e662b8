/** Data key pairs: the token makes them and wraps the private key; nothing of them stays on it. */
import { KmsError } from '../errors';
import { type KeyPairSpecName, keyPairSpec } from '../hsm/key-pair-specs';
import { type AuthenticatedData, encodeAuthenticatedData } from './authenticated-data';
import { encodeCiphertext, headerOf, type PrivateKeyCiphertext, privateKeyHeader } from './ciphertext';
import { encryptingVersion, type VersionChoice } from './encrypting-version';
import type { Key, KeyVersion } from './key';
import { formatKey, type KeyFormat } from './key-format';
import type { Call, Kms } from './kms';
import { assertMayLeave, openPrivateKey } from './private-key';
import { cryptographic, stopDryRun, usableKey } from './usable-key';

export interface DataKeyPairRequest {
  readonly keyId: string;
  readonly spec: KeyPairSpecName;
  readonly authenticated: AuthenticatedData;
  /** Of both halves, also when the private one is opened later; DER where absent. */
  readonly format?: KeyFormat;
  /** The version that wraps the private key; the current one where absent. */
  readonly under?: VersionChoice;
  readonly dryRun?: boolean;
}

export interface WrappedDataKeyPair {
  readonly key: Key;
  /** The version that wraps the private key. */
  readonly version: KeyVersion;
  readonly spec: KeyPairSpecName;
  /** X.509 SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  /** 12 bytes, which are in the ciphertext, too. */
  readonly iv: Buffer;
  readonly privateKeyCiphertext: Buffer;
}

export interface DataKeyPair extends WrappedDataKeyPair {
  /** PKCS#8. The caller zeroes it. */
  readonly privateKeyPlaintext: Buffer;
}

/** With the private key in plaintext only where the service hands private keys out as AWS does. */
export async function generateDataKeyPair(
  kms: Kms,
  call: Call,
  request: DataKeyPairRequest,
): Promise<WrappedDataKeyPair & Partial<DataKeyPair>> {
  return kms.privateKeyExport === 'aws'
    ? generateDataKeyPairWithPlaintext(kms, call, request)
    : generateDataKeyPairWithoutPlaintext(kms, call, request);
}

/** @throws KmsError UNSUPPORTED_OPERATION where no private key may leave in plaintext */
export async function generateDataKeyPairWithPlaintext(
  kms: Kms,
  call: Call,
  request: DataKeyPairRequest,
): Promise<DataKeyPair> {
  const { pair, ciphertext, aad } = await generate(kms, call, request, true);
  const privateKeyPlaintext = await openPrivateKey(kms, call, ciphertext, pair.version, aad);
  kms.usage.note(pair.key, call);
  return { ...pair, privateKeyPlaintext };
}

export async function generateDataKeyPairWithoutPlaintext(
  kms: Kms,
  call: Call,
  request: DataKeyPairRequest,
): Promise<WrappedDataKeyPair> {
  const { pair } = await generate(kms, call, request, false);
  kms.usage.note(pair.key, call);
  return pair;
}

interface Generated {
  readonly pair: WrappedDataKeyPair;
  readonly ciphertext: PrivateKeyCiphertext;
  /** What its private key is bound to. */
  readonly aad: Buffer;
}

async function generate(
  kms: Kms,
  call: Call,
  request: DataKeyPairRequest,
  withPlaintext: boolean,
): Promise<Generated> {
  const about = cryptographic(request.authenticated, { 'kms:DataKeyPairSpec': request.spec });
  const usable = await usableKey(kms, call, request.keyId, about);
  assertSpecWorks(kms, request.spec);
  const sealedKey = kms.privateKeyExport === 'never';
  const { wrapping } = kms.token.report.dialect;
  call.wrapping = wrapping;
  const { format = 'DER' } = request;
  const header = { spec: keyPairSpec(request.spec), wrapping, sealedKey, format };
  if (withPlaintext) assertMayLeave(kms, header);
  const aadAfterPoint = encodeAuthenticatedData(request.authenticated);
  stopDryRun(request.dryRun);
  const { key, version, mayRepeat } = await encryptingVersion(kms, usable, request.under);
  const { number, encryptObject, wrapObject } = version;
  call.details = { keyVersion: number, keyPairSpec: request.spec };
  const aadBeforePoint = privateKeyHeader(key.id, number, header);
  const job = { spec: request.spec, encryptObject, wrapObject, aadBeforePoint, aadAfterPoint };
  const { publicKey: spki, ...wrapped } = await kms.token.run('generateKeyPair', job, call, mayRepeat);
  const ciphertext: PrivateKeyCiphertext = {
    kind: 'private-key',
    keyId: key.id,
    version: number,
    ...header,
    ...wrapped,
  };
  const privateKeyCiphertext = encodeCiphertext(ciphertext);
  const aad = Buffer.concat([headerOf(ciphertext), aadAfterPoint]);
  const publicKey = formatKey(spki, format, 'PUBLIC KEY');
  const pair = { key, version, spec: request.spec, publicKey, iv: wrapped.iv, privateKeyCiphertext };
  return { pair, ciphertext, aad };
}

function assertSpecWorks({ token }: Kms, name: KeyPairSpecName): void {
  if (token.report.specs.some((spec) => spec.name === name && spec.works)) return;
  throw new KmsError(
    'UNSUPPORTED_OPERATION',
    `The token of this service does not make key pairs of spec ${name}.`,
  );
}
