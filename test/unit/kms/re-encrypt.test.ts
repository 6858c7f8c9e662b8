import { KmsError } from '../../../src/errors';
import { decodeCiphertext, encodeCiphertext } from '../../../src/kms/ciphertext';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair } from '../../../src/kms/data-key-pairs';
import type { Key } from '../../../src/kms/key';
import { scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { createKey, disableKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import { dryRunWithoutCiphertext, type ReEncryptRequest, reEncrypt } from '../../../src/kms/re-encrypt';
import { rotateKeyOnDemand } from '../../../src/kms/rotation';
import { codeOf, context, type Domain, newCall, openDomain, UNKNOWN_ID } from './fixture';

const BEFORE = context({ stage: 'before' });
const AFTER = context({ stage: 'after' });

interface Scene extends Domain {
  readonly source: Key;
  readonly destination: Key;
  /** Data under the source key. */
  readonly data: Buffer;
  /** A private key under the source key. */
  readonly privateKey: Buffer;
}

async function setScene(options: Parameters<typeof openDomain>[0] = {}): Promise<Scene> {
  const domain = await openDomain(options);
  const { kms, token } = domain;
  const source = await createKey(kms, newCall(), { description: '' });
  const destination = await createKey(kms, newCall(), { description: '' });
  const request = { keyId: source.id, authenticated: BEFORE, dryRun: false };
  const { ciphertext } = await encrypt(kms, newCall(), { ...request, plaintext: Buffer.from('data') });
  const pair = await generateDataKeyPair(kms, newCall(), { ...request, spec: 'ECC_NIST_P256' });
  token.jobs.length = 0;
  return { ...domain, source, destination, data: ciphertext, privateKey: pair.privateKeyCiphertext };
}

const move = (kms: Kms, ciphertext: Buffer, to: Key, options: Partial<ReEncryptRequest> = {}) =>
  reEncrypt(kms, newCall(), {
    source: { ciphertext, authenticated: BEFORE },
    destinationKeyId: to.id,
    authenticated: AFTER,
    dryRun: false,
    ...options,
  });

const open = async (kms: Kms, ciphertext: Buffer, authenticated = AFTER) =>
  (await decrypt(kms, newCall(), { ciphertext, authenticated, dryRun: false })).plaintext;

describe('reEncrypt', () => {
  it('moves data under another key and another context, and tells of both keys', async () => {
    const { kms, token, source, destination, data } = await setScene();
    const moved = await move(kms, data, destination);
    expect(moved.source).toMatchObject({ key: { id: source.id }, version: source.current });
    expect(moved.destination).toMatchObject({ key: { id: destination.id }, version: destination.current });
    expect(token.jobNames).toEqual(['reEncrypt']);
    expect(await open(kms, moved.ciphertext)).toEqual(Buffer.from('data'));
    expect(await codeOf(open(kms, moved.ciphertext, BEFORE))).toBe('INVALID_CIPHERTEXT');
    expect(decodeCiphertext(moved.ciphertext)).toMatchObject({ kind: 'data', keyId: destination.id });
  });

  it('moves a private key, which stays one of its spec', async () => {
    const { kms, token, destination, privateKey } = await setScene();
    const { kind, ...before } = decodeCiphertext(privateKey) as Extract<
      ReturnType<typeof decodeCiphertext>,
      { kind: 'private-key' }
    >;
    const moved = await move(kms, privateKey, destination);
    expect(token.jobNames).toEqual(['rewrapPrivateKey']);
    const { spec, point, sealedKey, wrapping } = before;
    expect(decodeCiphertext(moved.ciphertext)).toMatchObject({
      kind,
      keyId: destination.id,
      version: 1,
      spec,
      point,
      sealedKey,
      wrapping,
    });
    expect(await open(kms, moved.ciphertext)).toEqual(await open(kms, privateKey, BEFORE));
  });

  it.each(['never', 'on-request', 'aws'] as const)(
    'keeps a private key sealed under %s',
    async (privateKeyExport) => {
      const sealed = await setScene({ privateKeyExport: 'never' });
      const { kms } = await openDomain({ privateKeyExport, sharing: sealed });
      const moved = await move(kms, sealed.privateKey, sealed.destination);
      expect(decodeCiphertext(moved.ciphertext)).toMatchObject({ sealedKey: true });
      expect(await codeOf(open(kms, moved.ciphertext))).toBe('UNSUPPORTED_OPERATION');
    },
  );

  it('wraps as the token does now', async () => {
    const before = await setScene();
    const { report } = before.token;
    const { kms } = await openDomain({
      sharing: before,
      report: { dialect: { ...report.dialect, wrapping: 'gcm' } },
    });
    const moved = await move(kms, before.privateKey, before.destination);
    expect(decodeCiphertext(moved.ciphertext)).toMatchObject({ wrapping: 'gcm' });
    expect(await open(kms, moved.ciphertext)).toEqual(await open(kms, before.privateKey, BEFORE));
  });

  it('moves a ciphertext of an old version to the newest of the same key', async () => {
    const { kms, source, data, privateKey } = await setScene();
    await rotateKeyOnDemand(kms, newCall(), source.id);
    for (const blob of [data, privateKey]) {
      const moved = await move(kms, blob, source);
      expect([moved.source.version.number, moved.destination.version.number]).toEqual([1, 2]);
      expect(decodeCiphertext(moved.ciphertext)).toMatchObject({ keyId: source.id, version: 2 });
      expect(await open(kms, moved.ciphertext)).toEqual(await open(kms, blob, BEFORE));
    }
  });

  it('is the last use of both keys', async () => {
    const { kms, source, destination, data } = await setScene();
    const request = { source: { ciphertext: data, authenticated: BEFORE }, destinationKeyId: destination.id };
    await reEncrypt(
      kms,
      { ...newCall(), operation: 'ReEncrypt', requestId: 'moving' },
      { ...request, authenticated: AFTER, dryRun: false },
    );
    await kms.usage.flush();
    for (const { id } of [source, destination]) {
      expect(await kms.store.usage.find(id)).toMatchObject({ operation: 'ReEncrypt', request_id: 'moving' });
    }
  });

  it('rotates a destination that is used up', async () => {
    const { kms, destination, data } = await setScene({ gcmCalls: 2 });
    const versions = [];
    for (let count = 0; count < 3; count++) {
      versions.push((await move(kms, data, destination)).destination.version.number);
    }
    expect(versions).toEqual([1, 1, 2]);
  });
});

describe('reEncrypt refuses, without a word to the token,', () => {
  type Fault = [string, string, (scene: Scene) => Promise<unknown>];

  const bad = (blob: Buffer) => Buffer.concat([Buffer.of(9), blob]);
  const unknownKey = (blob: Buffer) =>
    encodeCiphertext({ ...decodeCiphertext(blob), keyId: UNKNOWN_ID as Key['id'] });
  const named = (ciphertext: Buffer, keyId: string) => ({
    source: { ciphertext, keyId, authenticated: BEFORE },
  });

  it.each<Fault>([
    [
      'what is no ciphertext',
      'INVALID_CIPHERTEXT',
      ({ kms, data, destination }) => move(kms, bad(data), destination),
    ],
    [
      'a ciphertext of no known key',
      'CIPHERTEXT_KEY_OUT_OF_REACH',
      ({ kms, data, destination }) => move(kms, unknownKey(data), destination),
    ],
    [
      'a ciphertext of another key than the one that was meant',
      'INCORRECT_KEY',
      ({ kms, data, destination }) => move(kms, data, destination, named(data, destination.id)),
    ],
    [
      'a source key that is unknown',
      'NOT_FOUND',
      ({ kms, data, destination }) => move(kms, data, destination, named(data, UNKNOWN_ID)),
    ],
    [
      'a destination that is unknown',
      'NOT_FOUND',
      ({ kms, data, destination }) => move(kms, data, destination, { destinationKeyId: UNKNOWN_ID }),
    ],
    [
      'text that is no Unicode',
      'INVALID_REQUEST',
      ({ kms, data, destination }) =>
        move(kms, data, destination, { authenticated: context({ key: '\ud800' }) }),
    ],
    [
      'to do what it only tried',
      'DRY_RUN',
      ({ kms, data, destination }) => move(kms, data, destination, { dryRun: true }),
    ],
  ])('%s: %s', async (_what, code, attempt) => {
    const scene = await setScene();
    expect(await codeOf(attempt(scene))).toBe(code);
    expect(scene.token.jobs).toEqual([]);
  });

  it.each([
    ['source', true],
    ['source', false],
    ['destination', true],
    ['destination', false],
  ] as const)('a %s key that is disabled or pending deletion, dry run: %s', async (which, dryRun) => {
    const scene = await setScene();
    const { kms, token, data, destination } = scene;
    await disableKey(kms, newCall(), scene[which].id);
    expect(await codeOf(move(kms, data, destination, { dryRun }))).toBe('DISABLED');
    await scheduleKeyDeletion(kms, newCall(), { keyId: scene[which].id, windowInDays: 7 });
    expect(await codeOf(move(kms, data, destination, { dryRun }))).toBe('INVALID_STATE');
    expect(token.jobs).toEqual([]);
  });

  it('the source before the destination', async () => {
    const { kms, data, destination } = await setScene();
    const neither = { destinationKeyId: UNKNOWN_ID };
    expect(await codeOf(move(kms, bad(data), destination, neither))).toBe('INVALID_CIPHERTEXT');
    expect(await codeOf(move(kms, unknownKey(data), destination, neither))).toBe(
      'CIPHERTEXT_KEY_OUT_OF_REACH',
    );
  });

  it('a private key whose wrapping the token does not do', async () => {
    const scene = await setScene();
    const { kms, token } = await openDomain({
      sharing: scene,
      report: { dialect: { wrapping: 'gcm', ecUnwrapTakesPoint: false } },
    });
    expect(await codeOf(move(kms, scene.privateKey, scene.destination))).toBe('INVALID_CIPHERTEXT');
    expect(token.jobs).toEqual([]);
  });
});

describe('a dry run without a ciphertext', () => {
  it('asks only whether both keys could be used', async () => {
    const { kms, token, source, destination } = await setScene();
    const attempt = (sourceKeyId: string, destinationKeyId: string) =>
      codeOf(
        dryRunWithoutCiphertext(kms, newCall(), {
          source: { keyId: sourceKeyId, authenticated: BEFORE },
          destination: { keyId: destinationKeyId, authenticated: AFTER },
        }),
      );
    expect(await attempt(source.id, destination.id)).toBe('DRY_RUN');
    expect(await attempt(UNKNOWN_ID, destination.id)).toBe('NOT_FOUND');
    expect(await attempt(source.id, UNKNOWN_ID)).toBe('NOT_FOUND');
    await disableKey(kms, newCall(), destination.id);
    expect(await attempt(source.id, destination.id)).toBe('DISABLED');
    expect(await attempt(destination.id, source.id)).toBe('DISABLED');
    expect(token.jobs).toEqual([]);
  });
});

it('a failure of the token is no use of a key', async () => {
  const { kms, token, destination, data } = await setScene();
  await kms.usage.flush();
  token.failAt('reEncrypt', new KmsError('INTERNAL', ''));
  expect(await codeOf(move(kms, data, destination))).toBe('INTERNAL');
  await kms.usage.flush();
  expect(await kms.store.usage.find(destination.id)).toBeUndefined();
});
