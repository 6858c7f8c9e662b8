import { encrypt } from '../../../src/kms/data';
import {
  type CreateGrantRequest,
  createGrant,
  listRetirableGrants,
  retireGrant,
  retireGrantByToken,
  revokeGrant,
} from '../../../src/kms/grants';
import { scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { createKey, describeKey } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import type { Principal } from '../../../src/kms/principal-directory';
import { policyOf, ROOT } from '../access/policies';
import { codeOf, context, kmsErrorOf, newCall } from './fixture';
import { ALICE, alice, aliceCalls, nobody, user, withKey } from './users';

const BOB = 'arn:aws:iam::111122223333:user/bob';
const bob = user('bob');
const DENY = { Effect: 'Deny' };

const use = (kms: Kms, who: Principal, keyId: string, pairs: Record<string, string> = {}) =>
  encrypt(kms, newCall(who, 'Encrypt'), {
    keyId,
    plaintext: Buffer.from('data'),
    authenticated: context(pairs),
    dryRun: false,
  });

/** A key, on which the root principal makes grants; Alice has no permission but those. */
async function withGrants(policy?: string) {
  const scene = await withKey(policy);
  const grant = (changes: Partial<CreateGrantRequest> = {}, call = newCall(undefined, 'CreateGrant')) =>
    createGrant(scene.kms, call, {
      keyId: scene.key.id,
      granteePrincipal: ALICE,
      operations: ['Encrypt'],
      dryRun: false,
      ...changes,
    });
  const encryptBy = (who: Principal, pairs?: Record<string, string>) =>
    use(scene.kms, who, scene.key.id, pairs);
  return { ...scene, grant, encryptBy };
}

describe('a grant', () => {
  it('allows its operations, with its key, from when it is made until it is taken back', async () => {
    const { kms, key, grant, encryptBy } = await withGrants();
    const other = await createKey(kms, newCall(), { description: '' });
    expect(await codeOf(encryptBy(nobody))).toBe('ACCESS_DENIED');
    const { grantId } = await grant();
    await encryptBy(nobody);
    expect(await codeOf(describeKey(kms, newCall(nobody, 'DescribeKey'), key.id))).toBe('ACCESS_DENIED');
    expect(await codeOf(use(kms, nobody, other.id))).toBe('ACCESS_DENIED');
    expect(await codeOf(encryptBy(bob))).toBe('ACCESS_DENIED');
    await revokeGrant(kms, newCall(undefined, 'RevokeGrant'), { keyId: key.id, grantId, dryRun: false });
    expect(await codeOf(encryptBy(nobody))).toBe('ACCESS_DENIED');
  });

  it('allows what the key policy says nothing of, and nothing that is denied', async () => {
    const { grant, encryptBy } = await withGrants(policyOf({}, { ...DENY, Principal: { AWS: BOB } }));
    await grant();
    await grant({ granteePrincipal: BOB });
    expect((await kmsErrorOf(encryptBy(alice(DENY)))).message).toMatch(
      /with an explicit deny in an identity-based policy$/,
    );
    expect((await kmsErrorOf(encryptBy(bob))).message).toMatch(
      /with an explicit deny in a resource-based policy$/,
    );
  });

  it('to the account lets identity policies decide, under whatever key policy', async () => {
    const { grant, encryptBy } = await withGrants(policyOf({ Action: 'kms:CreateGrant' }, LOCKED));
    const allowed = alice({ Action: 'kms:Encrypt' });
    expect(await codeOf(encryptBy(allowed))).toBe('ACCESS_DENIED');
    await grant({ granteePrincipal: ROOT });
    await encryptBy(allowed);
    expect(await codeOf(encryptBy(nobody))).toBe('ACCESS_DENIED');
  });

  it.each<['equals' | 'subset', Record<string, string>, boolean]>([
    ['equals', { tenant: 'acme' }, true],
    ['equals', { tenant: 'acme', more: 'x' }, false],
    ['equals', {}, false],
    ['subset', { tenant: 'acme', more: 'x' }, true],
    ['subset', { tenant: 'Acme' }, false],
    ['subset', { more: 'x' }, false],
  ])('constrained to a context, "%s", with %j: %s', async (kind, pairs, allowed) => {
    const { grant, encryptBy } = await withGrants();
    await grant({ constraints: { kind, pairs: new Map([['tenant', 'acme']]) } });
    const outcome = encryptBy(nobody, pairs);
    if (allowed) await expect(outcome).resolves.toBeDefined();
    else expect(await codeOf(outcome)).toBe('ACCESS_DENIED');
  });

  it('to make grants allows none that allows more', async () => {
    const { grant } = await withGrants();
    const pairs = new Map([['tenant', 'acme']]);
    const constraints = { kind: 'subset', pairs } as const;
    await grant({ operations: ['CreateGrant', 'Encrypt'], constraints });
    const make = (changes: Partial<CreateGrantRequest>) =>
      grant({ granteePrincipal: BOB, constraints, ...changes }, newCall(nobody, 'CreateGrant'));
    await make({ operations: ['Encrypt'] });
    await make({ operations: ['Encrypt'], constraints: { kind: 'equals', pairs } });
    expect(await codeOf(make({ operations: ['Encrypt', 'Decrypt'] }))).toBe('ACCESS_DENIED');
    expect(await codeOf(make({ constraints: { kind: 'subset', pairs: new Map() } }))).toBe('ACCESS_DENIED');
    expect(await codeOf(make({ dryRun: true }))).toBe('DRY_RUN');
    expect(await codeOf(make({ dryRun: true, operations: ['Decrypt'] }))).toBe('ACCESS_DENIED');
  });

  it('tells of the state of the key whom it allows to use it', async () => {
    const { kms, key, grant, encryptBy } = await withGrants();
    await grant();
    await scheduleKeyDeletion(kms, newCall(), { keyId: key.id, windowInDays: 7 });
    expect(await codeOf(encryptBy(nobody))).toBe('INVALID_STATE');
    expect(await codeOf(encryptBy(bob))).toBe('ACCESS_DENIED');
  });
});

/** The account may do nothing but what other statements say. */
const LOCKED = { Principal: { AWS: ROOT }, Action: 'kms:PutKeyPolicy' };

describe.each(['id', 'token'] as const)('a grant, named by its %s, is retired', (by) => {
  async function withGrant(changes: Partial<CreateGrantRequest>) {
    const { kms, key, grant } = await withGrants();
    const { grantId, token } = await grant(changes);
    const retire = (who: Principal) => {
      const call = newCall(who, 'RetireGrant');
      return by === 'id'
        ? retireGrant(kms, call, { keyId: key.id, grantId, dryRun: false })
        : retireGrantByToken(kms, call, { token, dryRun: false });
    };
    const left = async () => (await kms.store.grants.find(grantId)) !== undefined;
    return { kms, key, grant, grantId, retire, left };
  }

  it.each<[string, Principal, Partial<CreateGrantRequest>]>([
    ['its retiring principal', bob, { retiringPrincipal: BOB }],
    ['its grantee, where it says so', nobody, { operations: ['Encrypt', 'RetireGrant'] }],
    ['whom an identity policy allows to', user('carol', { Action: 'kms:RetireGrant' }), {}],
  ])('by %s', async (_who, who, changes) => {
    const { retire, left } = await withGrant(changes);
    await retire(who);
    expect(await left()).toBe(false);
  });

  it.each<[string, Principal, Partial<CreateGrantRequest>]>([
    ['its grantee, where it does not say so', nobody, { retiringPrincipal: BOB }],
    ['anybody else', user('carol'), { operations: ['Encrypt', 'RetireGrant'], retiringPrincipal: BOB }],
    ['a retiring principal who is denied it', user('bob', DENY), { retiringPrincipal: BOB }],
    ['who may revoke it', user('carol', { Action: 'kms:RevokeGrant' }), {}],
  ])('not by %s', async (_who, who, changes) => {
    const { retire, left } = await withGrant(changes);
    expect(await codeOf(retire(who))).toBe('ACCESS_DENIED');
    expect(await left()).toBe(true);
  });

  it('not on the strength of another grant', async () => {
    const { grant, retire, left } = await withGrant({});
    await grant({ operations: ['Encrypt', 'RetireGrant'] });
    expect(await codeOf(retire(nobody))).toBe('ACCESS_DENIED');
    expect(await left()).toBe(true);
  });

  it('but not revoked by its retiring principal', async () => {
    const { kms, key, grantId, left } = await withGrant({ retiringPrincipal: BOB });
    const revoking = revokeGrant(kms, newCall(bob, 'RevokeGrant'), { keyId: key.id, grantId, dryRun: false });
    expect(await codeOf(revoking)).toBe('ACCESS_DENIED');
    expect(await left()).toBe(true);
  });
});

describe('who may not retire a grant', () => {
  it('does not learn whether there is one', async () => {
    const { kms, key, grant } = await withGrants();
    const { grantId } = await grant({ retiringPrincipal: BOB });
    const attempt = (id: string) =>
      kmsErrorOf(
        retireGrant(kms, newCall(nobody, 'RetireGrant'), { keyId: key.id, grantId: id, dryRun: true }),
      );
    expect(await attempt(grantId)).toEqual(await attempt('0'.repeat(64)));
  });
});

it('retirable grants are listed by whoever an identity policy allows to', async () => {
  const { kms, grant } = await withGrants();
  await grant({ retiringPrincipal: BOB });
  const list = (call: Call) => listRetirableGrants(kms, call, { retiringPrincipal: BOB, limit: 1 });
  expect(await codeOf(list(newCall(bob, 'ListRetirableGrants')))).toBe('ACCESS_DENIED');
  const { items } = await list(aliceCalls('ListRetirableGrants', { Action: 'kms:ListRetirableGrants' }));
  expect(items).toHaveLength(1);
});
