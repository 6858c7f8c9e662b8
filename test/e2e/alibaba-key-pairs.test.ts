import { sign, verify } from 'node:crypto';
import { type KMSClient, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms';
import { type AlibabaClient, alibabaClient } from '../support/alibaba-client';
import type { Answers } from '../support/alibaba-messages';
import { TOLD, toldBy } from '../support/alibaba-refusals';
import { certificateDirectory, makeCertificate } from '../support/certificates';
import { insertClientKey } from '../support/client-keys';
import { keyPairOf } from '../support/key-pairs';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

// What Alibaba's page of GenerateDataKeyPair tells its readers to do, over TLS: generate a pair, keep its Iv, Algorithm,
// Aad and ciphertext, decrypt that later, sign with the private key, and verify with the public key.

/** Every spec with what node:crypto says of such a key. */
const SPECS = {
  RSA_2048: { modulusLength: 2048, publicExponent: 65537n },
  RSA_3072: { modulusLength: 3072, publicExponent: 65537n },
  RSA_4096: { modulusLength: 4096, publicExponent: 65537n },
  EC_P256: { namedCurve: 'prime256v1' },
  EC_P256K: { namedCurve: 'secp256k1' },
} as const;
type Spec = keyof typeof SPECS;

const OPERATIONS = [
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'AdvanceGenerateDataKeyPair',
  'AdvanceGenerateDataKeyPairWithoutPlaintext',
] as const;
type Operation = (typeof OPERATIONS)[number];

const AAD = Buffer.from([0, 0xff, ...Buffer.from('контекст')]);
const MESSAGE = Buffer.from('what the private key signs');

interface Case {
  readonly operation: Operation;
  readonly KeyPairSpec: Spec;
  readonly KeyFormat: 'PEM' | 'DER';
  readonly Aad: Buffer | undefined;
  readonly made: 'before' | 'after';
}

/** The rest of a case is three choices, each a bit. */
const caseOf = (KeyPairSpec: Spec, operation: Operation, bits: number): Case => ({
  operation,
  KeyPairSpec,
  KeyFormat: bits & 1 ? 'PEM' : 'DER',
  Aad: bits & 2 ? AAD : undefined,
  made: bits & 4 ? 'after' : 'before',
});

/** With one of these for each operation, every two of the three choices meet in every way. */
const EVEN = [0b000, 0b011, 0b101, 0b110];
/** Of two cases, between which both values of each choice come up. */
const [NONE, ALL] = [0b000, 0b111];

/**
 * EC keys cost nothing: every combination. RSA keys take the token up to seconds, and the operation, the format, the Aad and
 * the version do not depend on their size: RSA_2048 meets every operation, and each RSA spec both values of each choice.
 */
const CASES: readonly Case[] = [
  ...(['EC_P256', 'EC_P256K'] as const).flatMap((spec) =>
    OPERATIONS.flatMap((operation) => Array.from({ length: 8 }, (_, bits) => caseOf(spec, operation, bits))),
  ),
  ...OPERATIONS.map((operation, turn) => caseOf('RSA_2048', operation, EVEN[turn] ?? NONE)),
  caseOf('RSA_3072', 'GenerateDataKeyPair', NONE),
  caseOf('RSA_3072', 'AdvanceGenerateDataKeyPairWithoutPlaintext', ALL),
  caseOf('RSA_4096', 'GenerateDataKeyPairWithoutPlaintext', NONE),
  caseOf('RSA_4096', 'AdvanceGenerateDataKeyPair', ALL),
];

const title = ({ operation, KeyPairSpec, KeyFormat, Aad }: Case) =>
  `${operation} of ${KeyPairSpec} in ${KeyFormat} ${Aad ? 'with' : 'without'} Aad`;
const casesMade = (when: Case['made']) =>
  CASES.filter(({ made }) => made === when).map((one) => [title(one), one] as const);

let aws: KMSClient;
let client: AlibabaClient;
let keyId: string;

beforeAll(async () => {
  const authority = makeCertificate({ cn: 'Example Root', ca: true });
  const certificate = makeCertificate({ cn: 'kms.example', issuer: authority });
  const { certFile, keyFile } = certificateDirectory().put('server', certificate);
  const site = createSite();
  const { url, credentials } = await startServer(site, {
    P11KMS_TLS_CERT_FILE: certFile,
    P11KMS_TLS_KEY_FILE: keyFile,
  });
  expect(url).toMatch(/^https:/);
  aws = kmsClient({ url, credentials, ca: authority.cert });
  client = alibabaClient({ url, ca: authority.cert, ...insertClientKey(site, 'root') });
  keyId = await createKey(aws);
});

type Pair = Answers['GenerateDataKeyPairWithoutPlaintext'] &
  Partial<Answers['AdvanceGenerateDataKeyPair'] & Answers['GenerateDataKeyPair']>;

/** What a client keeps of a pair. */
interface Kept extends Pick<Pair, 'PublicKey' | 'PrivateKeyPlaintext' | 'KeyVersionId'> {
  /** Members of a request to decrypt. */
  readonly stored: { readonly Iv: Buffer; readonly Algorithm: string; readonly Aad: Buffer | undefined };
  readonly CiphertextBlob: Buffer;
}

const kept = new Map<Case, Kept>();

function keptOf(one: Case): Kept {
  const pair = kept.get(one);
  if (!pair) throw new Error(`${title(one)} was not made`);
  return pair;
}

const isAdvanced = ({ operation }: Case) => operation.startsWith('Advance');

async function generate(one: Case): Promise<void> {
  const { operation, KeyPairSpec, KeyFormat, Aad } = one;
  const pair: Pair = await client.call(operation, {
    KeyId: keyId,
    KeyPairSpec,
    KeyFormat,
    Aad,
    ...(!isAdvanced(one) && { Algorithm: 'AES_GCM' }),
  });
  const withPlaintext = !operation.endsWith('WithoutPlaintext');
  expect(pair).toEqual({
    KeyId: keyId,
    KeyPairSpec,
    Algorithm: 'AES_GCM',
    Iv: expect.any(Buffer),
    PrivateKeyCiphertextBlob: expect.any(Buffer),
    PublicKey: expect.any(Buffer),
    RequestId: expect.stringMatching(/./),
    ...(withPlaintext && { PrivateKeyPlaintext: expect.any(Buffer) }),
    ...(isAdvanced(one) && { KeyVersionId: expect.stringMatching(/./) }),
  });
  const { Iv, Algorithm, PrivateKeyCiphertextBlob: CiphertextBlob, ...rest } = pair;
  expect(Iv).toHaveLength(12);
  kept.set(one, { ...rest, CiphertextBlob, stored: { Iv, Algorithm, Aad } });
}

/** Opens what was kept in every way that is documented, and uses it. */
async function expectToOpen(one: Case): Promise<void> {
  const pair = keptOf(one);
  const { CiphertextBlob, stored } = pair;
  const everything = { CiphertextBlob, KeyId: keyId, ...stored };
  const privateKey = isAdvanced(one)
    ? await advanceDecrypt({ CiphertextBlob, Aad: stored.Aad }, versionOf(one))
    : (await client.call('Decrypt', everything)).Plaintext;
  expect(await advanceDecrypt(everything, versionOf(one))).toEqual(privateKey);
  if (pair.PrivateKeyPlaintext) expect(pair.PrivateKeyPlaintext).toEqual(privateKey);
  expectToSign(one, privateKey, pair.PublicKey);
}

async function advanceDecrypt(
  fields: Parameters<typeof client.call>[1],
  KeyVersionId: string | undefined,
): Promise<Buffer> {
  const { Plaintext, RequestId, ...rest } = await client.call('AdvanceDecrypt', fields);
  expect(rest).toEqual({ KeyId: keyId, Algorithm: 'AES_GCM', PaddingMode: '', KeyVersionId });
  expect(RequestId).not.toBe('');
  return Plaintext;
}

/** The version that wraps a pair: the initial one, but for what an Advance operation made since. */
function versionOf(one: Case): string | undefined {
  const like = CASES.find(
    (other) => isAdvanced(other) && other.made === (isAdvanced(one) ? one.made : 'before'),
  );
  return like && keptOf(like).KeyVersionId;
}

function expectToSign({ KeyFormat, KeyPairSpec }: Case, pkcs8: Buffer, spki: Buffer): void {
  const [privateKey, publicKey] = keyPairOf(KeyFormat, pkcs8, spki);
  for (const key of [privateKey, publicKey])
    expect(key.asymmetricKeyDetails).toMatchObject(SPECS[KeyPairSpec]);
  expect(verify('sha256', MESSAGE, publicKey, sign('sha256', MESSAGE, privateKey))).toBe(true);
}

// The tests of this file follow one key: what was made before it rotated is opened again afterwards.

describe('before the key has rotated', () => {
  beforeAll(() => generate(first('before')));

  it.each(casesMade('before'))('%s opens, signs, and verifies', async (_title, one) => {
    await generate(one);
    await expectToOpen(one);
  });
});

describe('once the key has rotated', () => {
  beforeAll(async () => {
    await aws.send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
    await generate(first('after'));
  });

  it.each(casesMade('before'))('what was made before still opens: %s', (_title, one) => expectToOpen(one));

  it.each(casesMade('after'))('%s opens, signs, and verifies', async (_title, one) => {
    await generate(one);
    await expectToOpen(one);
  });

  it('the Advance operations wrap under another version, which Decrypt does not open', async () => {
    const [before, after] = [first('before'), first('after')];
    expect(versionOf(before)).not.toBe(versionOf(after));
    const { CiphertextBlob, stored } = keptOf(after);
    const call = client.call('Decrypt', { CiphertextBlob, KeyId: keyId, ...stored });
    expect(await toldBy(call)).toEqual(TOLD.invalidParameter);
  });
});

/** The first Advance case, which tells the version. */
function first(when: Case['made']): Case {
  const one = CASES.find((other) => isAdvanced(other) && other.made === when);
  if (!one) throw new Error(`no Advance case is made ${when}`);
  return one;
}

it.each<[string, Buffer | undefined, Buffer | undefined]>([
  ['another Aad', AAD, Buffer.from('other')],
  ['no Aad', AAD, undefined],
  ['an Aad where none was given', undefined, AAD],
])('a private key does not open with %s', async (_what, given, Aad) => {
  const { PrivateKeyCiphertextBlob: CiphertextBlob, Iv } = await client.call('GenerateDataKeyPair', {
    KeyId: keyId,
    KeyPairSpec: 'EC_P256',
    KeyFormat: 'PEM',
    Aad: given,
  });
  const fields = { CiphertextBlob, KeyId: keyId, Iv, Algorithm: 'AES_GCM', Aad };
  for (const operation of ['Decrypt', 'AdvanceDecrypt'] as const) {
    expect(await toldBy(client.call(operation, fields))).toEqual(TOLD.invalidParameter);
  }
});
