import { addKey, idOf, newDirectory, newKey, open, remove, withDatabase } from './fixture';

describe('a key in the making', () => {
  it('is known as unfinished, with its objects, and as nothing else', async () => {
    const store = await open();
    const key = newKey(1);
    await store.versions.beginKey(key);
    expect(await store.versions.unfinished()).toEqual([
      { keyId: key.id, number: 1, objects: [key.encryptObject, key.wrapObject] },
    ]);
    expect(await store.keys.find(key.id)).toBeUndefined();
    expect(await store.keys.list(10)).toEqual([]);
    // doctor must not take its objects for unknown ones.
    expect(await store.versions.objects()).toEqual(new Set([key.encryptObject, key.wrapObject]));
  });

  it('cannot be enabled or disabled', async () => {
    const store = await open();
    await store.versions.beginKey(newKey(1));
    await store.keys.setState(idOf(1), 'enabled');
    await store.keys.setState(idOf(1), 'disabled');
    expect(await store.keys.find(idOf(1))).toBeUndefined();
    expect(await store.versions.unfinished()).toHaveLength(1);
  });

  it('is an enabled key with one version as soon as it is finished', async () => {
    const store = await open();
    const key = newKey(1);
    const before = Date.now();
    await store.versions.beginKey(key);
    await store.versions.finish({ keyId: key.id, number: 1 });
    const row = await store.keys.find(key.id);
    const created_at = row?.created_at ?? 0;
    expect(created_at).toBeGreaterThanOrEqual(before);
    expect(row).toEqual({
      id: key.id,
      state: 'enabled',
      description: 'key 1',
      current_version: 1,
      created_at,
      policy: null,
      deletion_window_days: null,
      deletion_at: null,
      deletion_heartbeat: null,
      rotation_period_days: null,
      next_rotation_at: null,
      versions: [
        {
          key_id: key.id,
          number: 1,
          state: 'active',
          encrypt_object: key.encryptObject,
          wrap_object: key.wrapObject,
          created_at,
          rotation: null,
          rotated_at: null,
          gcm_calls: 0,
        },
      ],
    });
    expect(await store.versions.unfinished()).toEqual([]);
  });

  it('is gone when it is abandoned, and can be begun again', async () => {
    const store = await open();
    await store.versions.beginKey(newKey(1));
    for (const version of await store.versions.unfinished()) await remove(store, version);
    expect(await store.versions.unfinished()).toEqual([]);
    expect(await store.versions.objects()).toEqual(new Set());
    await addKey(store, 1);
  });

  it('is not begun by halves: a version that is taken leaves no key behind', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    const taken = newKey(1);
    await store.versions.beginKey(taken);
    for (const objects of [{ encryptObject: taken.encryptObject }, { wrapObject: taken.wrapObject }]) {
      await expect(store.versions.beginKey({ ...newKey(2), ...objects })).rejects.toMatchObject({
        code: 'SQLITE_CONSTRAINT_UNIQUE',
      });
    }
    await expect(store.versions.beginKey({ ...newKey(2), id: taken.id })).rejects.toMatchObject({
      code: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    });
    const rows = withDatabase(dataDir, (database) => database.prepare('SELECT id FROM keys').pluck().all());
    expect(rows).toEqual([taken.id]);
    await store.ping();
  });

  it('can be finished once, and only if it was begun', async () => {
    const store = await open();
    await expect(store.versions.finish({ keyId: idOf(1), number: 1 })).resolves.toBe(false);
    await addKey(store, 1);
    await store.keys.setState(idOf(1), 'disabled');
    await expect(store.versions.finish({ keyId: idOf(1), number: 1 })).resolves.toBe(false);
    expect(await store.keys.find(idOf(1))).toMatchObject({ state: 'disabled' });
  });
});

describe('a key', () => {
  it('is not taken for removal', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    expect(await store.versions.claimRemoval({ keyId: id, number: 1 })).toBe(false);
    await store.versions.forget({ keyId: id, number: 1 });
    expect(await store.keys.find(id)).toMatchObject({ state: 'enabled', versions: [{ number: 1 }] });
  });

  it('keeps its state', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    const id = await addKey(store, 1);
    await addKey(store, 2);
    await store.keys.setState(id, 'disabled');
    const again = await open(dataDir);
    expect(await again.keys.find(id)).toMatchObject({ state: 'disabled' });
    expect(await again.keys.find(idOf(2))).toMatchObject({ state: 'enabled' });
    await store.keys.setState(id, 'enabled');
    expect(await again.keys.find(id)).toMatchObject({ state: 'enabled' });
  });

  it('shows its active versions, oldest first, while a new one is in the making', async () => {
    const store = await open();
    const id = await addKey(store, 1);
    const second = await store.versions.beginNext(id, { encryptObject: 'e-2', wrapObject: 'w-2' });
    await store.versions.finish({ keyId: id, number: second }, { cause: 'automatic', at: 1 });
    await store.versions.beginNext(id, { encryptObject: 'e-3', wrapObject: 'w-3' });
    const numbers = async () => (await store.keys.find(id))?.versions.map(({ number }) => number);
    expect(await numbers()).toEqual([1, 2]);
    for (const version of await store.versions.unfinished()) await remove(store, version);
    expect(await numbers()).toEqual([1, 2]);
    expect(await store.versions.unfinished()).toEqual([]);
  });

  it.each(['', 'nobody', '__proto__', "' OR 1 = 1 --"])('is not found under %j', async (id) => {
    const store = await open();
    await addKey(store, 1);
    expect(await store.keys.find(id)).toBeUndefined();
  });
});

describe('the list of keys', () => {
  it('comes in pages, in the order of the ids, each key once and with its own versions', async () => {
    const store = await open();
    for (const number of [4, 1, 5, 3, 2]) await addKey(store, number);
    await store.versions.beginKey(newKey(6));
    const seen: string[] = [];
    for (let page = await store.keys.list(2); page.length > 0; page = await store.keys.list(2, seen.at(-1))) {
      expect(page.length).toBeLessThanOrEqual(2);
      for (const { id, versions } of page) expect(versions.map(({ key_id }) => key_id)).toEqual([id]);
      seen.push(...page.map(({ id }) => id));
    }
    expect(seen).toEqual([1, 2, 3, 4, 5].map(idOf));
  });

  it('goes on behind a key that is not there', async () => {
    const store = await open();
    for (const number of [1, 3]) await addKey(store, number);
    expect((await store.keys.list(10, idOf(2))).map(({ id }) => id)).toEqual([idOf(3)]);
  });

  it('holds as many keys in one page as any protocol asks for', async () => {
    const dataDir = newDirectory();
    const store = await open(dataDir);
    // As one transaction: as a thousand, each on the disk for sure, it takes its time.
    withDatabase(dataDir, (database) => {
      const key = database.prepare(
        "INSERT INTO keys (id, state, description, current_version, created_at) VALUES (?, 'enabled', '', 1, 0)",
      );
      const version = database.prepare(
        "INSERT INTO key_versions (key_id, number, state, encrypt_object, wrap_object, created_at) VALUES (?, 1, 'active', ?, ?, 0)",
      );
      const insert = database.transaction(() => {
        for (let number = 0; number < 1_001; number++) {
          const { id, encryptObject, wrapObject } = newKey(number);
          key.run(id);
          version.run(id, encryptObject, wrapObject);
        }
      });
      insert();
    });
    const page = await store.keys.list(1_001);
    expect(page).toHaveLength(1_001);
    expect(page.every(({ versions }) => versions.length === 1)).toBe(true);
  });
});
