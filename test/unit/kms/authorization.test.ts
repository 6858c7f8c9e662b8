import { createAlias } from '../../../src/kms/aliases';
import { decodeCiphertext, encodeCiphertext } from '../../../src/kms/ciphertext';
import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair } from '../../../src/kms/data-key-pairs';
import { generateDataKey } from '../../../src/kms/data-keys';
import { createGrant, listGrants, revokeGrant } from '../../../src/kms/grants';
import type { KeyId } from '../../../src/kms/key';
import { cancelKeyDeletion, scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { getKeyPolicy, listKeyPolicies, putKeyPolicy } from '../../../src/kms/key-policies';
import { describeKey, disableKey, enableKey, listKeys, updateKeyDescription } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import { generateRandom } from '../../../src/kms/random';
import {
  disableKeyRotation,
  enableKeyRotation,
  listKeyRotations,
  rotateKeyOnDemand,
} from '../../../src/kms/rotation';
import { listTags, tagKey, untagKey } from '../../../src/kms/tags';
import { policyOf, ROOT } from '../access/policies';
import { codeOf, context, kmsErrorOf, newCall, PREFIX, UNKNOWN_ID } from './fixture';
import { ALICE, alice, aliceCalls, nobody, withKey } from './users';

type Ask = (kms: Kms, call: Call, keyId: string) => Promise<unknown>;

const DATA = { plaintext: Buffer.from('data'), authenticated: context(), dryRun: false };
const GRANT = { granteePrincipal: ALICE, operations: ['Encrypt'], dryRun: false } as const;

/** What can be asked of one key that is named. */
const ASKS: Readonly<Record<string, Ask>> = {
  CancelKeyDeletion: cancelKeyDeletion,
  CreateGrant: (kms, call, keyId) => createGrant(kms, call, { keyId, ...GRANT }),
  DescribeKey: describeKey,
  DisableKey: disableKey,
  DisableKeyRotation: disableKeyRotation,
  EnableKey: enableKey,
  EnableKeyRotation: (kms, call, keyId) => enableKeyRotation(kms, call, { keyId, periodInDays: 90 }),
  Encrypt: (kms, call, keyId) => encrypt(kms, call, { keyId, ...DATA }),
  GenerateDataKey: (kms, call, keyId) => generateDataKey(kms, call, { keyId, bytes: 32, ...DATA }),
  GenerateDataKeyPair: (kms, call, keyId) =>
    generateDataKeyPair(kms, call, { keyId, spec: 'ECC_NIST_P256', ...DATA }),
  GetKeyPolicy: (kms, call, keyId) => getKeyPolicy(kms, call, { keyId, name: 'default' }),
  ListGrants: (kms, call, keyId) => listGrants(kms, call, { keyId, limit: 1 }),
  ListKeyPolicies: (kms, call, keyId) => listKeyPolicies(kms, call, { keyId }),
  ListKeyRotations: (kms, call, keyId) => listKeyRotations(kms, call, { keyId, all: true, limit: 1 }),
  ListResourceTags: (kms, call, keyId) => listTags(kms, call, { keyId, limit: 1 }),
  PutKeyPolicy: (kms, call, keyId) =>
    putKeyPolicy(kms, call, { keyId, name: 'default', policy: policyOf({}), bypass: true }),
  RevokeGrant: (kms, call, keyId) =>
    revokeGrant(kms, call, { keyId, grantId: '0'.repeat(64), dryRun: false }),
  RotateKeyOnDemand: rotateKeyOnDemand,
  ScheduleKeyDeletion: (kms, call, keyId) => scheduleKeyDeletion(kms, call, { keyId, windowInDays: 7 }),
  TagResource: (kms, call, keyId) => tagKey(kms, call, { keyId, tags: [{ name: 'a', value: 'b' }] }),
  UntagResource: (kms, call, keyId) => untagKey(kms, call, { keyId, names: ['a'] }),
  UpdateKeyDescription: (kms, call, keyId) =>
    updateKeyDescription(kms, call, { keyId, description: 'another' }),
};

const refusal = (
  operation: string,
  resource: string,
  why = `because no identity-based policy allows the kms:${operation} action`,
) => ({
  code: 'ACCESS_DENIED',
  message: `User: ${ALICE} is not authorized to perform: kms:${operation} on resource: ${resource} ${why}`,
});

describe.each(Object.entries(ASKS))('%s', (operation, ask) => {
  it('is refused before the state of the key is told, and the record knows why', async () => {
    const { kms, token, key } = await withKey();
    for (const change of [disableKey, ASKS.ScheduleKeyDeletion as Ask]) {
      await change(kms, newCall(), key.id);
      const call = newCall(nobody, operation);
      token.jobs.length = 0;
      expect(await kmsErrorOf(ask(kms, call, key.id))).toMatchObject(refusal(operation, key.arn));
      expect(call).toMatchObject({ keyId: key.id, denied: 'no-identity-allow' });
      expect(token.jobs).toEqual([]);
    }
  });

  it('tells that a key is unknown only those who may ask it of keys in general', async () => {
    const { kms, key } = await withKey();
    const unknown = `${PREFIX}:key/${UNKNOWN_ID}`;
    const allowed = aliceCalls(operation, { Action: `kms:${operation}` });
    expect(await kmsErrorOf(ask(kms, allowed, UNKNOWN_ID))).toMatchObject({ code: 'NOT_FOUND' });
    const elsewhere = aliceCalls(operation, { Action: `kms:${operation}`, Resource: key.arn });
    for (const call of [newCall(nobody, operation), elsewhere]) {
      expect(await kmsErrorOf(ask(kms, call, unknown))).toMatchObject(refusal(operation, unknown));
      expect(call).toMatchObject({ denied: 'no-identity-allow' });
    }
  });

  it('is a permission of its own', async () => {
    const { kms, key } = await withKey();
    const others = aliceCalls(operation, { Action: undefined, NotAction: `kms:${operation}` });
    expect(await codeOf(ask(kms, others, key.id))).toBe('ACCESS_DENIED');
    const mine = aliceCalls(operation, { Action: `kms:${operation}`, Resource: key.arn });
    const outcome = await ask(kms, mine, key.id).then(
      () => 'done',
      ({ code }) => code,
    );
    // What there is to say against it then is for those who may.
    const known: Record<string, string> = { CancelKeyDeletion: 'INVALID_STATE', RevokeGrant: 'NOT_FOUND' };
    expect(outcome).toBe(known[operation] ?? 'done');
  });
});

describe('what is about no key', () => {
  it.each<[string, (kms: Kms, call: Call) => Promise<unknown>]>([
    ['ListKeys', (kms, call) => listKeys(kms, call, { limit: 1 })],
    ['GenerateRandom', (kms, call) => generateRandom(kms, call, { bytes: 1 })],
  ])('%s is for identity policies to allow', async (operation, ask) => {
    const { kms } = await withKey();
    expect(await kmsErrorOf(ask(kms, newCall(nobody, operation)))).toMatchObject(refusal(operation, '*'));
    await expect(ask(kms, aliceCalls(operation, { Action: `kms:${operation}` }))).resolves.toBeDefined();
    await expect(ask(kms, newCall())).resolves.toBeDefined();
  });
});

describe('who asks by an alias', () => {
  it('is refused in the name of the alias, whether it names a key or not', async () => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    for (const name of ['alias/app', 'alias/none']) {
      for (const reference of [name, `${PREFIX}:${name}`]) {
        const asking = describeKey(kms, newCall(nobody, 'DescribeKey'), reference);
        expect(await kmsErrorOf(asking)).toMatchObject(refusal('DescribeKey', `${PREFIX}:${name}`));
      }
    }
  });

  it('needs permission on the key, which makes none for a name that is free', async () => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const ask = (Resource: string, name: string) =>
      describeKey(kms, aliceCalls('DescribeKey', { Resource }), name);
    await expect(ask(key.arn, 'alias/app')).resolves.toMatchObject({ id: key.id });
    expect(await codeOf(ask(`${PREFIX}:alias/app`, 'alias/app'))).toBe('ACCESS_DENIED');
    expect(await codeOf(ask(key.arn, 'alias/none'))).toBe('ACCESS_DENIED');
    expect(await codeOf(ask('*', 'alias/none'))).toBe('ALIAS_NOT_FOUND');
  });
});

describe('the key of a ciphertext', () => {
  it('out of reach is told from no other that is', async () => {
    const { kms, token, key } = await withKey();
    const { ciphertext } = await encrypt(kms, newCall(), { keyId: key.id, ...DATA });
    const unknown = encodeCiphertext({ ...decodeCiphertext(ciphertext), keyId: UNKNOWN_ID as KeyId });
    const open = (call: Call, blob: Buffer) =>
      decrypt(kms, call, { ciphertext: blob, authenticated: context(), dryRun: false });
    const expected = await kmsErrorOf(open(newCall(), unknown));
    expect(expected.code).toBe('CIPHERTEXT_KEY_OUT_OF_REACH');
    await disableKey(kms, newCall(), key.id);
    token.jobs.length = 0;
    const call = newCall(nobody, 'Decrypt');
    expect(await kmsErrorOf(open(call, ciphertext))).toEqual(expected);
    expect(call).toMatchObject({ keyId: key.id, denied: 'no-identity-allow' });
    expect(token.jobs).toEqual([]);
    const named = { ciphertext, keyId: key.id, authenticated: context(), dryRun: false };
    expect(await kmsErrorOf(decrypt(kms, newCall(nobody, 'Decrypt'), named))).toMatchObject(
      refusal('Decrypt', key.arn),
    );
  });
});

describe('a key policy', () => {
  const ask = (kms: Kms, call: Call, keyId: string) => encrypt(kms, call, { keyId, ...DATA });

  it('that names a user is enough, and one that does not name the account leaves it out', async () => {
    const { kms, key } = await withKey(policyOf({ Principal: { AWS: ALICE } }));
    await expect(ask(kms, newCall(nobody, 'Encrypt'), key.id)).resolves.toBeDefined();
    expect(await kmsErrorOf(ask(kms, { ...newCall(), operation: 'Encrypt' }, key.id))).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining(
        `User: ${ROOT} is not authorized to perform: kms:Encrypt on resource: ${key.arn} because no resource-based policy`,
      ),
    });
  });

  it.each([
    [{ Effect: 'Deny', Action: 'kms:Encrypt' }, 'identity-based', 'explicit-deny-identity', {}],
    [{}, 'resource-based', 'explicit-deny-resource', { Effect: 'Deny', Principal: { AWS: ALICE } }],
  ])('is outweighed by a deny, as it outweighs all else: %#', async (own, where, denied, statement) => {
    const { kms, key } = await withKey(policyOf({}, { Principal: { AWS: ALICE } }, statement));
    const call = newCall(alice({}, own), 'Encrypt');
    expect(await kmsErrorOf(ask(kms, call, key.id))).toMatchObject(
      refusal(
        'Encrypt',
        key.arn,
        `with an explicit deny in ${where === 'identity-based' ? 'an' : 'a'} ${where} policy`,
      ),
    );
    expect(call.denied).toBe(denied);
  });

  it('counts as soon as it is put', async () => {
    const { kms, key } = await withKey();
    const put = (policy: string) =>
      putKeyPolicy(kms, newCall(), { keyId: key.id, name: 'default', policy, bypass: false });
    expect(await codeOf(ask(kms, newCall(nobody, 'Encrypt'), key.id))).toBe('ACCESS_DENIED');
    await put(policyOf({}, { Principal: { AWS: ALICE } }));
    await ask(kms, newCall(nobody, 'Encrypt'), key.id);
    await put(policyOf({}));
    expect(await codeOf(ask(kms, newCall(nobody, 'Encrypt'), key.id))).toBe('ACCESS_DENIED');
  });
});
