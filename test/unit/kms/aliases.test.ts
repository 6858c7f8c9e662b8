import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { createAlias, deleteAlias, listAliases, updateAlias } from '../../../src/kms/aliases';
import type { Key } from '../../../src/kms/key';
import { createKey, describeKey } from '../../../src/kms/keys';
import { codeOf, type Domain, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

async function withKey(): Promise<Domain & { readonly key: Key }> {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '' });
  return { ...domain, key };
}

describe('createAlias', () => {
  it('names a key from now on, though nobody was found under the name before', async () => {
    const { kms, key } = await withKey();
    expect(await codeOf(describeKey(kms, newCall(), 'alias/app'))).toBe('ALIAS_NOT_FOUND');
    const call = newCall();
    await createAlias(kms, call, { aliasName: 'alias/app', targetKeyId: key.id });
    expect(call.keyId).toBe(key.id);
    await expect(describeKey(kms, newCall(), 'alias/app')).resolves.toEqual(key);
  });

  it('takes a key ARN', async () => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.arn });
    await expect(describeKey(kms, newCall(), 'alias/app')).resolves.toEqual(key);
  });

  it('leaves a name that is taken where it is', async () => {
    const { kms, key } = await withKey();
    const other = await createKey(kms, newCall(), { description: '' });
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const again = createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: other.id });
    expect(await kmsErrorOf(again)).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: `An alias with the name ${PREFIX}:alias/app already exists`,
    });
    await expect(describeKey(kms, newCall(), 'alias/app')).resolves.toEqual(key);
  });

  it.each([
    ['app', 'INVALID_REQUEST'],
    ['Alias/app', 'INVALID_REQUEST'],
    [`${PREFIX}:alias/app`, 'INVALID_REQUEST'],
    ['alias/', 'INVALID_ALIAS_NAME'],
    ['alias/aws/s3', 'INVALID_ALIAS_NAME'],
    ['alias/a b', 'INVALID_ALIAS_NAME'],
    ['alias/ä', 'INVALID_ALIAS_NAME'],
    ['alias/a:b', 'INVALID_ALIAS_NAME'],
    ['alias/a\n', 'INVALID_ALIAS_NAME'],
  ])('refuses the name %j', async (aliasName, code) => {
    const { kms, key } = await withKey();
    expect(await codeOf(createAlias(kms, newCall(), { aliasName, targetKeyId: key.id }))).toBe(code);
    expect(await kms.store.aliases.list(10)).toEqual([]);
  });

  it.each([
    ['an alias', 'alias/app', 'INVALID_REQUEST'],
    ['an alias ARN', `${PREFIX}:alias/app`, 'INVALID_REQUEST'],
    ['a key that is unknown', UNKNOWN_ID, 'NOT_FOUND'],
  ])('does not name %s', async (_what, targetKeyId, code) => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    expect(await codeOf(createAlias(kms, newCall(), { aliasName: 'alias/other', targetKeyId }))).toBe(code);
  });
});

describe('updateAlias', () => {
  it('makes a name mean another key at once', async () => {
    const { kms, key } = await withKey();
    const other = await createKey(kms, newCall(), { description: '' });
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    await describeKey(kms, newCall(), 'alias/app');
    const call = newCall();
    await updateAlias(kms, call, { aliasName: 'alias/app', targetKeyId: other.arn });
    expect(call.keyId).toBe(other.id);
    await expect(describeKey(kms, newCall(), 'alias/app')).resolves.toEqual(other);
  });

  it.each([
    ['a name that there is not', 'alias/nobody', undefined, 'ALIAS_NOT_FOUND'],
    ['a reserved name, which there cannot be', 'alias/aws/s3', undefined, 'ALIAS_NOT_FOUND'],
    ['a name without its prefix', 'app', undefined, 'INVALID_REQUEST'],
    ['an alias for a key', 'alias/app', 'alias/app', 'INVALID_REQUEST'],
    ['an alias ARN for a key', 'alias/app', `${PREFIX}:alias/app`, 'INVALID_REQUEST'],
    ['a key that is unknown', 'alias/app', UNKNOWN_ID, 'NOT_FOUND'],
  ])('refuses %s', async (_what, aliasName, target, code) => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const targetKeyId = target ?? key.id;
    expect(await codeOf(updateAlias(kms, newCall(), { aliasName, targetKeyId }))).toBe(code);
    await expect(describeKey(kms, newCall(), 'alias/app')).resolves.toEqual(key);
  });
});

describe('a key that is pending deletion', () => {
  async function withDoomedKey() {
    const domain = await withKey();
    const doomed = await createKey(domain.kms, newCall(), { description: '' });
    await createAlias(domain.kms, newCall(), { aliasName: 'alias/of-doomed', targetKeyId: doomed.id });
    await createAlias(domain.kms, newCall(), { aliasName: 'alias/app', targetKeyId: domain.key.id });
    await describeKey(domain.kms, newCall(), doomed.id);
    const database = new SQLite(join(domain.dataDir, 'p11kms.sqlite'));
    database.prepare("UPDATE keys SET state = 'pending_deletion' WHERE id = ?").run(doomed.id);
    database.close();
    return { ...domain, doomed };
  }

  it.each([
    ['before anybody here knows', false],
    ['once it is known here', true],
  ])('gets no name, %s', async (_when, known) => {
    const { kms, doomed } = await withDoomedKey();
    if (known) kms.keys.forget();
    const { state } = await describeKey(kms, newCall(), doomed.id);
    expect(state).toBe(known ? 'pending-deletion' : 'enabled');
    const refusal = { code: 'INVALID_STATE', message: `${doomed.arn} is pending deletion.` };
    for (const [name, aliasName] of [
      [createAlias, 'alias/new'],
      [updateAlias, 'alias/app'],
    ] as const) {
      const naming = name(kms, newCall(), { aliasName, targetKeyId: doomed.id });
      expect(await kmsErrorOf(naming)).toMatchObject(refusal);
    }
  });

  it('can lose its names, to another key or for good', async () => {
    const { kms, key, doomed } = await withDoomedKey();
    await updateAlias(kms, newCall(), { aliasName: 'alias/of-doomed', targetKeyId: key.id });
    await expect(describeKey(kms, newCall(), 'alias/of-doomed')).resolves.toEqual(key);
    expect(await listAliases(kms, newCall(), { keyId: doomed.id, limit: 10 })).toEqual({ items: [] });
  });
});

describe('deleteAlias', () => {
  it('takes the name away at once and leaves the key', async () => {
    const { kms, key } = await withKey();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    await describeKey(kms, newCall(), 'alias/app');
    const call = newCall();
    await deleteAlias(kms, call, { aliasName: 'alias/app' });
    expect(call.keyId).toBe(key.id);
    expect(await codeOf(describeKey(kms, newCall(), 'alias/app'))).toBe('ALIAS_NOT_FOUND');
    await expect(describeKey(kms, newCall(), key.id)).resolves.toEqual(key);
  });

  it.each([
    ['alias/nobody', 'ALIAS_NOT_FOUND'],
    ['nobody', 'INVALID_REQUEST'],
    ['alias/aws/s3', 'ALIAS_NOT_FOUND'],
    ['alias/a:b', 'ALIAS_NOT_FOUND'],
  ])('refuses %s', async (aliasName, code) => {
    const { kms } = await withKey();
    expect(await codeOf(deleteAlias(kms, newCall(), { aliasName }))).toBe(code);
  });
});

describe('listAliases', () => {
  async function withAliases() {
    const domain = await withKey();
    const other = await createKey(domain.kms, newCall(), { description: '' });
    for (const [name, key] of [
      ['b', domain.key],
      ['a', other],
      ['c', domain.key],
      ['B', domain.key],
    ] as const) {
      await createAlias(domain.kms, newCall(), { aliasName: `alias/${name}`, targetKeyId: key.id });
    }
    return { ...domain, other };
  }

  it('gives all aliases in pages, in the order of their names', async () => {
    const { kms, other } = await withAliases();
    const first = await listAliases(kms, newCall(), { limit: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(['alias/B', 'alias/a']);
    expect(first.items[1]).toMatchObject({ arn: `${PREFIX}:alias/a`, keyId: other.id });
    expect(first.items[1]?.createdAt).toEqual(first.items[1]?.updatedAt);
    expect(first.nextMarker).toBe('alias/a');
    const second = await listAliases(kms, newCall(), { limit: 2, marker: 'alias/a' });
    expect(second.items.map(({ name }) => name)).toEqual(['alias/b', 'alias/c']);
    expect(second.nextMarker).toBeUndefined();
  });

  it.each([
    ['id', ({ id }: Key) => id],
    ['ARN', ({ arn }: Key) => arn],
  ])('gives those of one key, by its %s', async (_what, referenceOf) => {
    const { kms, key } = await withAliases();
    const call = newCall();
    const page = await listAliases(kms, call, { keyId: referenceOf(key), limit: 2, marker: 'alias/B' });
    expect(page.items.map(({ name }) => name)).toEqual(['alias/b', 'alias/c']);
    expect(page.nextMarker).toBeUndefined();
    expect(call.keyId).toBe(key.id);
  });

  it.each([
    ['a marker that is no alias', { marker: 'x' }, 'INVALID_MARKER'],
    ['a key by its alias', { keyId: 'alias/a' }, 'INVALID_ARN'],
    ['a key by its alias ARN', { keyId: `${PREFIX}:alias/a` }, 'INVALID_ARN'],
    ['a key that is unknown', { keyId: UNKNOWN_ID }, 'NOT_FOUND'],
  ])('refuses %s', async (_what, request, code) => {
    const { kms } = await withAliases();
    expect(await codeOf(listAliases(kms, newCall(), { limit: 2, ...request }))).toBe(code);
  });
});
