import { createHash } from 'node:crypto';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { KmsError } from '../../../src/errors';
import type { KeyId } from '../../../src/kms/key';
import {
  createKey,
  describeKey,
  disableKey,
  enableKey,
  listKeys,
  updateKeyDescription,
} from '../../../src/kms/keys';
import { JOB_MS } from './fake-token';
import { codeOf, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

const unavailable = () => new KmsError('KEY_UNAVAILABLE', 'The token is not available.');

describe('createKey', () => {
  it('makes an enabled key with one version, and two labelled objects on the token', async () => {
    const { kms, token } = await openDomain();
    const before = Date.now();
    const key = await createKey(kms, newCall(), { description: 'for backups' });
    expect(key).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      arn: `${PREFIX}:key/${key.id}`,
      description: 'for backups',
      state: 'enabled',
    });
    expect(key.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    const { encryptObject, wrapObject, materialId, number } = key.current;
    expect(number).toBe(1);
    expect(key.versions).toEqual(new Map([[1, key.current]]));
    expect(materialId).toBe(createHash('sha256').update(`${encryptObject}${wrapObject}`).digest('hex'));
    expect(token.objects).toEqual(
      new Map([
        [encryptObject, `p11kms/${kms.storeId}/${key.id}/1/encrypt`],
        [wrapObject, `p11kms/${kms.storeId}/${key.id}/1/wrap`],
      ]),
    );
  });

  it('gives every object an id of 16 random bytes', async () => {
    const { kms, token } = await openDomain();
    for (let count = 0; count < 5; count++) await createKey(kms, newCall(), { description: '' });
    expect(token.objects.size).toBe(10);
    for (const id of token.objects.keys()) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('writes the key and the time on the token into the call', async () => {
    const { kms } = await openDomain();
    const call = newCall();
    const { id } = await createKey(kms, call, { description: '' });
    expect(call).toEqual({ ...newCall(), keyId: id, tokenMs: JOB_MS });
  });

  it('records the objects before the token is asked, and shows no key until they are there', async () => {
    const { kms, token } = await openDomain();
    const run = token.run.bind(token);
    const seen: unknown[] = [];
    jest.spyOn(token, 'run').mockImplementation(async (name, input, caller) => {
      seen.push(await kms.store.versions.unfinished(), await kms.store.keys.list(10));
      return run(name, input, caller);
    });
    const { id, current } = await createKey(kms, newCall(), { description: '' });
    const objects = [current.encryptObject, current.wrapObject];
    expect(seen).toEqual([[{ keyId: id, number: 1, objects }], []]);
  });

  it('does not ask the token where the store cannot record the objects', async () => {
    const { kms, token, dataDir } = await openDomain();
    const database = new SQLite(join(dataDir, 'p11kms.sqlite'));
    database.exec(
      "CREATE TRIGGER full BEFORE INSERT ON key_versions BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    );
    database.close();
    await expect(createKey(kms, newCall(), { description: '' })).rejects.toMatchObject({
      message: 'disk full',
    });
    expect(token.jobs).toEqual([]);
  });

  it('leaves nothing behind where the token fails, and tells the caller', async () => {
    const { kms, token } = await openDomain();
    token.failAt('createKeyObjects', unavailable());
    expect(await codeOf(createKey(kms, newCall(), { description: '' }))).toBe('KEY_UNAVAILABLE');
    expect(token.jobs.at(-1)?.name).toBe('destroyObjects');
    expect(await kms.store.versions.unfinished()).toEqual([]);
  });

  it('leaves the row to a later clean-up where the token may still be making the objects', async () => {
    const { kms, token } = await openDomain();
    token.failAt('createKeyObjects', new KmsError('TOKEN_TIMEOUT', 'too late'));
    const call = newCall();
    expect(await codeOf(createKey(kms, call, { description: '' }))).toBe('TOKEN_TIMEOUT');
    expect(await kms.store.versions.unfinished()).toMatchObject([{ keyId: call.keyId }]);
    expect(await kms.store.versions.unfinished(60_000)).toEqual([]);
  });

  it('leaves an invisible row behind where the token cannot be reached at all', async () => {
    const { kms, token } = await openDomain();
    token.failAt('createKeyObjects', unavailable());
    token.failAt('destroyObjects', unavailable());
    const call = newCall();
    expect(await codeOf(createKey(kms, call, { description: '' }))).toBe('KEY_UNAVAILABLE');
    expect(call.keyId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await kms.store.versions.unfinished()).toMatchObject([{ keyId: call.keyId, number: 1 }]);
    expect(await codeOf(describeKey(kms, newCall(), String(call.keyId)))).toBe('NOT_FOUND');
    expect(await listKeys(kms, newCall(), { limit: 10 })).toEqual({ items: [] });
  });

  it('does not hand out a key whose objects somebody cleaned up meanwhile', async () => {
    const { kms, token } = await openDomain();
    const run = token.run.bind(token);
    const cleaner = jest.spyOn(token, 'run').mockImplementation(async (name, input, caller) => {
      const output = await run(name, input, caller);
      cleaner.mockRestore();
      const [version] = await kms.store.versions.unfinished();
      if (version) await kms.store.versions.claimRemoval(version);
      return output;
    });
    const call = newCall();
    expect(await codeOf(createKey(kms, call, { description: '' }))).toBe('KEY_UNAVAILABLE');
    expect(await kms.keys.findById(call.keyId as KeyId)).toBeUndefined();
    expect(token.objects.size).toBe(0);
  });
});

describe('enableKey and disableKey', () => {
  it('apply at once, by id and by ARN, and as often as one likes', async () => {
    const { kms } = await openDomain();
    const { id, arn } = await createKey(kms, newCall(), { description: '' });
    const state = async () => (await describeKey(kms, newCall(), id)).state;
    await disableKey(kms, newCall(), id);
    expect(await state()).toBe('disabled');
    await disableKey(kms, newCall(), arn);
    expect(await state()).toBe('disabled');
    await enableKey(kms, newCall(), arn);
    expect(await state()).toBe('enabled');
  });

  it.each([
    ['enableKey', enableKey],
    ['disableKey', disableKey],
    ['describeKey', describeKey],
  ])('%s: writes the key into the call, and nothing for a key that is unknown', async (_name, operation) => {
    const { kms, token } = await openDomain();
    const { id } = await createKey(kms, newCall(), { description: '' });
    const call = newCall();
    await operation(kms, call, id);
    expect(call).toEqual({ ...newCall(), keyId: id, tokenMs: 0 });
    const lost = newCall();
    expect(await codeOf(operation(kms, lost, UNKNOWN_ID))).toBe('NOT_FOUND');
    expect(lost.keyId).toBeUndefined();
    expect(token.jobNames).toEqual(['createKeyObjects']);
  });
});

describe.each([
  ['enableKey', enableKey],
  ['disableKey', disableKey],
])('%s', (_name, operation) => {
  it.each(['alias/app', `${PREFIX}:alias/app`, 'alias/nobody'])('refuses the alias %s', async (alias) => {
    const { kms } = await openDomain();
    const { id } = await createKey(kms, newCall(), { description: '' });
    await kms.store.aliases.create('alias/app', id);
    const before = await kms.store.keys.find(id);
    expect(await codeOf(operation(kms, newCall(), alias))).toBe('INVALID_ARN');
    expect(await kms.store.keys.find(id)).toEqual(before);
  });
});

describe('updateKeyDescription', () => {
  it('applies at once, by id and by ARN, and can empty it', async () => {
    const { kms } = await openDomain();
    const { id, arn } = await createKey(kms, newCall(), { description: 'old' });
    for (const [keyId, description] of [
      [id, 'new'],
      [arn, ''],
    ] as const) {
      const call = newCall();
      await updateKeyDescription(kms, call, { keyId, description });
      expect(call.keyId).toBe(id);
      expect(await describeKey(kms, newCall(), id)).toMatchObject({ description });
    }
  });

  it('refuses an alias, a key that is unknown, and one that is pending deletion', async () => {
    const { kms, dataDir } = await openDomain();
    const { id } = await createKey(kms, newCall(), { description: 'old' });
    const update = (keyId: string) =>
      codeOf(updateKeyDescription(kms, newCall(), { keyId, description: 'new' }));
    expect(await update('alias/app')).toBe('INVALID_ARN');
    expect(await update(UNKNOWN_ID)).toBe('NOT_FOUND');
    const database = new SQLite(join(dataDir, 'p11kms.sqlite'));
    database.exec("UPDATE keys SET state = 'pending_deletion'");
    database.close();
    kms.keys.forget();
    expect(await update(id)).toBe('INVALID_STATE');
    expect(await describeKey(kms, newCall(), id)).toMatchObject({ description: 'old' });
  });
});

describe('listKeys', () => {
  it('gives all keys in pages, in the order of their ids', async () => {
    const { kms } = await openDomain();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++)
      ids.push((await createKey(kms, newCall(), { description: '' })).id);
    const seen: string[] = [];
    let marker: string | undefined;
    do {
      const page = await listKeys(kms, newCall(), { limit: 2, ...(marker !== undefined && { marker }) });
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id }) => id));
      marker = page.nextMarker;
    } while (marker !== undefined);
    expect(seen).toEqual(ids.sort());
  });

  it.each(['', 'x', UNKNOWN_ID.slice(1), UNKNOWN_ID.replace('4', 'A')])(
    'refuses a marker that it never gave: %j',
    async (marker) => {
      const { kms } = await openDomain();
      expect(await kmsErrorOf(listKeys(kms, newCall(), { limit: 2, marker }))).toMatchObject({
        code: 'INVALID_MARKER',
      });
    },
  );
});
