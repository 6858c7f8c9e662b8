import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { OTHER_OPERATIONS, SYMMETRIC_OPERATIONS } from '../../../src/kms/grant';
import { checkConstraints, decodeConstraints, encodeConstraints } from '../../../src/kms/grant-constraints';
import { newGrantToken } from '../../../src/kms/grant-tokens';
import {
  type CreateGrantRequest,
  createGrant,
  listGrants,
  listRetirableGrants,
  retireGrant,
  retireGrantByToken,
  revokeGrant,
} from '../../../src/kms/grants';
import { createKey, disableKey } from '../../../src/kms/keys';
import { codeOf, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

const ALICE = 'arn:aws:iam::111122223333:user/alice';
const BOB = 'arn:aws:iam::444455556666:role/bob';
const UNKNOWN_GRANT = '0'.repeat(64);

async function withKey() {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '' });
  const create = (changes: Partial<CreateGrantRequest> = {}) =>
    createGrant(domain.kms, newCall(), {
      keyId: key.id,
      granteePrincipal: ALICE,
      operations: ['Encrypt'],
      dryRun: false,
      ...changes,
    });
  const list = async () => (await listGrants(domain.kms, newCall(), { keyId: key.id, limit: 100 })).items;
  return { ...domain, key, create, list };
}

describe('createGrant', () => {
  it('makes a grant of all that was asked for', async () => {
    const { key, create, list } = await withKey();
    const before = Date.now();
    const { grantId, token } = await create({
      keyId: key.arn,
      retiringPrincipal: BOB,
      operations: ['Encrypt', 'Decrypt', 'Encrypt'],
      constraints: { kind: 'subset', pairs: new Map([['Department', 'IT']]) },
      name: 'a/name',
    });
    expect(grantId).toMatch(/^[0-9a-f]{64}$/);
    expect(token.length).toBeLessThanOrEqual(8192);
    const grants = await list();
    expect(grants).toEqual([
      {
        id: grantId,
        keyArn: key.arn,
        name: 'a/name',
        granteePrincipal: ALICE,
        retiringPrincipal: BOB,
        operations: ['Decrypt', 'Encrypt'],
        constraints: { kind: 'subset', pairs: new Map([['Department', 'IT']]) },
        createdAt: grants[0]?.createdAt,
      },
    ]);
    expect(grants[0]?.createdAt.getTime()).toBeGreaterThanOrEqual(before);
  });

  it('makes one grant of a name and the same parameters, in whatever order they are written', async () => {
    const { create, list } = await withKey();
    const context = (...pairs: [string, string][]) => ({ kind: 'equals' as const, pairs: new Map(pairs) });
    const first = await create({
      name: 'n',
      operations: ['Encrypt', 'Decrypt'],
      constraints: context(['a', '1'], ['b', '2']),
    });
    const second = await create({
      name: 'n',
      operations: ['Decrypt', 'Encrypt'],
      constraints: context(['b', '2'], ['a', '1']),
    });
    expect(second.grantId).toBe(first.grantId);
    expect(second.token).not.toBe(first.token);
    const other = await create({ name: 'n', operations: ['Decrypt', 'Encrypt'] });
    expect(other.grantId).not.toBe(first.grantId);
    expect(await list()).toHaveLength(2);
  });

  it('makes another grant each time where there is no name', async () => {
    const { create, list } = await withKey();
    await create();
    await create();
    expect(await list()).toHaveLength(2);
  });

  it.each(SYMMETRIC_OPERATIONS)('grants %s', async (operation) => {
    const { create, list } = await withKey();
    await create({ operations: [operation] });
    expect(await list()).toMatchObject([{ operations: [operation] }]);
  });

  it.each(OTHER_OPERATIONS)('does not grant %s, which is for keys of other kinds', async (operation) => {
    const { create, list } = await withKey();
    expect(await kmsErrorOf(create({ operations: ['Encrypt', operation] }))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: `The operation ${operation} cannot be granted on a symmetric encryption key.`,
    });
    expect(await list()).toEqual([]);
  });

  it.each<[string, Partial<CreateGrantRequest>, string]>([
    ['a grantee that is no principal', { granteePrincipal: 'alice' }, 'INVALID_ARN'],
    ['the number of an account', { granteePrincipal: '111122223333' }, 'INVALID_ARN'],
    ['a group', { granteePrincipal: 'arn:aws:iam::111122223333:group/admins' }, 'INVALID_ARN'],
    ['a retiring principal that is none', { retiringPrincipal: '*' }, 'INVALID_ARN'],
    ['an alias', { keyId: 'alias/app' }, 'INVALID_ARN'],
    ['an unknown key', { keyId: UNKNOWN_ID }, 'NOT_FOUND'],
    ['no operations', { operations: [] }, 'INVALID_REQUEST'],
    ['a dry run', { dryRun: true }, 'DRY_RUN'],
    ['a dry run of what would fail', { dryRun: true, operations: ['Sign'] }, 'INVALID_REQUEST'],
  ])('makes none for %s', async (_what, changes, code) => {
    const { create, list } = await withKey();
    expect(await codeOf(create(changes))).toBe(code);
    expect(await list()).toEqual([]);
  });

  it('makes none on a disabled key', async () => {
    const { kms, key, create } = await withKey();
    await disableKey(kms, newCall(), key.id);
    expect(await codeOf(create())).toBe('DISABLED');
  });

  it('makes none on a key that another instance has just disabled', async () => {
    const { kms, key, create, list } = await withKey();
    // What is remembered of the key is that it is enabled.
    await create();
    await kms.store.keys.setState(key.id, 'disabled');
    expect(await codeOf(create())).toBe('DISABLED');
    expect(await list()).toHaveLength(1);
  });

  it('makes 50,000 on a key and no more', async () => {
    const { create, key, dataDir } = await withKey();
    const database = new SQLite(join(dataDir, 'p11kms.sqlite'));
    database
      .prepare(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49999)
         INSERT INTO grants (id, key_id, grantee_principal, operations, created_at)
         SELECT printf('%064x', i), ?, 'a', '[]', 0 FROM n`,
      )
      .run(key.id);
    database.close();
    await create({ name: 'the last' });
    expect(await kmsErrorOf(create())).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: `${key.arn} may have at most 50000 grants.`,
    });
    await create({ name: 'the last' });
  });
});

describe('constraints', () => {
  const pairs = (count: number, length = 1) =>
    new Map(Array.from({ length: count }, (_, index) => [`k${index}`, 'v'.repeat(length)]));

  it('are one of the two, of at most 8 pairs of at most 384 characters', () => {
    expect(checkConstraints(undefined, undefined)).toBeUndefined();
    expect(checkConstraints(pairs(8, 384), undefined)).toEqual({ kind: 'equals', pairs: pairs(8, 384) });
    const astral = new Map([['𐐀'.repeat(384), '𐐀'.repeat(384)]]);
    expect(checkConstraints(astral, undefined)).toEqual({ kind: 'equals', pairs: astral });
    expect(checkConstraints(undefined, pairs(0))).toEqual({ kind: 'subset', pairs: new Map() });
    const refusals = [
      [pairs(1), pairs(0), 'INVALID_REQUEST'],
      [pairs(9), undefined, 'LIMIT_EXCEEDED'],
      [undefined, pairs(1, 385), 'LIMIT_EXCEEDED'],
      [undefined, new Map([['k'.repeat(385), 'v']]), 'LIMIT_EXCEEDED'],
      [undefined, new Map([['k', '𐐀'.repeat(385)]]), 'LIMIT_EXCEEDED'],
    ] as const;
    for (const [equals, subset, code] of refusals) {
      expect(() => checkConstraints(equals, subset)).toThrow(expect.objectContaining({ code }));
    }
  });

  it.each(['equals', 'subset'] as const)('are kept as "%s", the same for the same pairs', (kind) => {
    const encode = (...of: [string, string][]) => encodeConstraints({ kind, pairs: new Map(of) });
    expect(encode(['b', '2'], ['a', '1'])).toBe(`{"${kind}":{"a":"1","b":"2"}}`);
    expect(encode(['a', '1'], ['b', '2'])).toBe(encode(['b', '2'], ['a', '1']));
    expect(decodeConstraints(encode())).toEqual({ kind, pairs: new Map() });
  });

  it('are kept with all their keys', () => {
    const constraints = {
      kind: 'equals',
      pairs: new Map([
        ['__proto__', 'a'],
        ['2', 'b'],
        ['10', 'c'],
        ['ключ', '\ud800'],
        ['', ''],
      ]),
    } as const;
    const { kind, pairs: kept } = decodeConstraints(encodeConstraints(constraints));
    expect(kind).toBe('equals');
    expect(Object.fromEntries(kept)).toEqual(Object.fromEntries(constraints.pairs));
    expect(kept.size).toBe(5);
  });
});

describe('listing grants', () => {
  it('goes page by page, by grantee or id where asked to', async () => {
    const { kms, key, create } = await withKey();
    const made = [];
    for (const granteePrincipal of [ALICE, BOB, ALICE, BOB, ALICE]) {
      made.push((await create({ granteePrincipal })).grantId);
    }
    const list = (filter: object) => listGrants(kms, newCall(), { keyId: key.id, limit: 2, ...filter });
    const first = await list({});
    const second = await list({ marker: first.nextMarker });
    const third = await list({ marker: second.nextMarker });
    expect(third.nextMarker).toBeUndefined();
    const found = [first, second, third].flatMap(({ items }) => items.map(({ id }) => id));
    expect(found).toEqual([...made].sort());
    const bobs = await list({ granteePrincipal: BOB });
    expect(bobs.items.map(({ id }) => id).sort()).toEqual([made[1], made[3]].sort());
    expect((await list({ grantId: made[2] })).items).toMatchObject([{ id: made[2] }]);
    expect((await list({ grantId: UNKNOWN_GRANT })).items).toEqual([]);
  });

  it('of a retiring principal goes over all keys', async () => {
    const { kms, create } = await withKey();
    const { id: otherKey } = await createKey(kms, newCall(), { description: '' });
    await create();
    const retirable = [
      await create({ retiringPrincipal: BOB }),
      await create({ retiringPrincipal: BOB, keyId: otherKey }),
    ].map(({ grantId }) => grantId);
    const list = (request: object) =>
      listRetirableGrants(kms, newCall(), { retiringPrincipal: BOB, limit: 1, ...request });
    const first = await list({});
    const second = await list({ marker: first.nextMarker });
    expect(second.nextMarker).toBeUndefined();
    const found = [...first.items, ...second.items].map(({ id }) => id);
    expect(found).toEqual([...retirable].sort());
    expect((await list({ retiringPrincipal: ALICE })).items).toEqual([]);
  });

  it('is refused for what names nothing', async () => {
    const { kms, key } = await withKey();
    const list = (request: object) =>
      codeOf(listGrants(kms, newCall(), { keyId: key.id, limit: 1, ...request }));
    expect(await list({ grantId: 'g' })).toBe('INVALID_GRANT_ID');
    expect(await list({ granteePrincipal: 'p' })).toBe('INVALID_ARN');
    expect(await list({ marker: 'm' })).toBe('INVALID_MARKER');
    expect(await list({ keyId: 'alias/app' })).toBe('INVALID_ARN');
    expect(await list({ keyId: UNKNOWN_ID })).toBe('NOT_FOUND');
    const retirable = (request: object) =>
      codeOf(listRetirableGrants(kms, newCall(), { retiringPrincipal: BOB, limit: 1, ...request }));
    expect(await retirable({ retiringPrincipal: 'p' })).toBe('INVALID_ARN');
    expect(await retirable({ marker: 'm' })).toBe('INVALID_MARKER');
  });
});

const ENDINGS = [
  ['RetireGrant', retireGrant],
  ['RevokeGrant', revokeGrant],
] as const;

describe('ending a grant', () => {
  it.each(ENDINGS)('by key and id, once, in every state of the key: %s', async (_name, end) => {
    const { kms, key, create, list } = await withKey();
    const { grantId } = await create();
    await disableKey(kms, newCall(), key.id);
    const call = newCall();
    await end(kms, call, { keyId: key.arn, grantId, dryRun: false });
    expect(call.keyId).toBe(key.id);
    expect(await list()).toEqual([]);
    expect(await kmsErrorOf(end(kms, newCall(), { keyId: key.id, grantId, dryRun: false }))).toMatchObject({
      code: 'NOT_FOUND',
      message: `Grant ID ${grantId} not found`,
    });
  });

  it('by any of its tokens, once', async () => {
    const { kms, key, create, list } = await withKey();
    const { token } = await create({ name: 'n' });
    await create({ name: 'n' });
    const call = newCall();
    await retireGrantByToken(kms, call, { token, dryRun: false });
    expect(call.keyId).toBe(key.id);
    expect(await list()).toEqual([]);
    expect(await codeOf(retireGrantByToken(kms, newCall(), { token, dryRun: false }))).toBe(
      'INVALID_GRANT_TOKEN',
    );
  });

  it.each(ENDINGS)('is not done in a dry run, nor for what names no grant: %s', async (_name, end) => {
    const { kms, key, create, list } = await withKey();
    const other = await createKey(kms, newCall(), { description: '' });
    const { grantId, token } = await create();
    const remove = (changes: object) =>
      codeOf(end(kms, newCall(), { keyId: key.id, grantId, dryRun: false, ...changes }));
    expect(await remove({ dryRun: true })).toBe('DRY_RUN');
    expect(await remove({ keyId: other.id })).toBe('NOT_FOUND');
    expect(await remove({ keyId: other.id, dryRun: true })).toBe('NOT_FOUND');
    expect(await remove({ keyId: UNKNOWN_ID })).toBe('NOT_FOUND');
    expect(await remove({ keyId: `${PREFIX}:alias/app` })).toBe('INVALID_ARN');
    expect(await remove({ grantId: UNKNOWN_GRANT })).toBe('NOT_FOUND');
    expect(await remove({ grantId: 'g' })).toBe('INVALID_GRANT_ID');
    const retire = (changes: object) =>
      codeOf(retireGrantByToken(kms, newCall(), { token, dryRun: false, ...changes }));
    expect(await retire({ dryRun: true })).toBe('DRY_RUN');
    expect(await retire({ token: 't' })).toBe('INVALID_GRANT_TOKEN');
    expect(await retire({ token: newGrantToken(UNKNOWN_GRANT) })).toBe('INVALID_GRANT_TOKEN');
    expect(await list()).toHaveLength(1);
  });
});
