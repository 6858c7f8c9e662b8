import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import type { Key, KeyId } from '../../../src/kms/key';
import { createKey } from '../../../src/kms/keys';
import { codeOf, type Domain, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

const DAY_MS = 86_400_000;
let clock = 0;

beforeEach(() => {
  clock += DAY_MS;
  jest.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => jest.restoreAllMocks());

/** A key under the alias `alias/app`, and how often the store has been asked since. */
async function aliasedKey(domain: Domain) {
  const { kms } = domain;
  const key = await createKey(kms, newCall(), { description: 'of the directory' });
  await kms.store.aliases.create('alias/app', key.id);
  kms.keys.forget();
  const asked = {
    key: jest.spyOn(kms.store.keys, 'find'),
    alias: jest.spyOn(kms.store.aliases, 'find'),
  };
  return { key, asked };
}

/** Another process's hands on the same file. */
function elsewhere({ dataDir }: Domain, sql: string): void {
  const database = new SQLite(join(dataDir, 'p11kms.sqlite'));
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

const disableElsewhere = (domain: Domain, { id }: Key) =>
  elsewhere(domain, `UPDATE keys SET state = 'disabled' WHERE id = '${id}'`);

describe('the key directory', () => {
  it('finds a key by its id, its ARN, its alias and its alias ARN', async () => {
    const domain = await openDomain();
    const { key } = await aliasedKey(domain);
    for (const reference of [key.id, key.arn, 'alias/app', `${PREFIX}:alias/app`]) {
      await expect(domain.kms.keys.resolve(reference)).resolves.toEqual(key);
    }
  });

  it.each([
    [UNKNOWN_ID, `Key '${PREFIX}:key/${UNKNOWN_ID}' does not exist`],
    [`${PREFIX}:key/${UNKNOWN_ID}`, `Key '${PREFIX}:key/${UNKNOWN_ID}' does not exist`],
    ['alias/nobody', `Alias ${PREFIX}:alias/nobody is not found.`],
    [`${PREFIX}:alias/nobody`, `Alias ${PREFIX}:alias/nobody is not found.`],
    ['alias/__proto__', `Alias ${PREFIX}:alias/__proto__ is not found.`],
  ])('says that there is no %s', async (reference, message) => {
    const { kms } = await openDomain();
    const code = reference.includes('alias/') ? 'ALIAS_NOT_FOUND' : 'NOT_FOUND';
    expect(await kmsErrorOf(kms.keys.resolve(reference))).toMatchObject({ code, message });
  });

  it('asks the store once in a second', async () => {
    const domain = await openDomain();
    const { key, asked } = await aliasedKey(domain);
    await Promise.all([domain.kms.keys.resolve('alias/app'), domain.kms.keys.resolve('alias/app')]);
    clock += 999;
    await domain.kms.keys.resolve(key.id);
    await domain.kms.keys.resolve('alias/app');
    expect(asked.alias).toHaveBeenCalledTimes(1);
    expect(asked.key).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['by id', (key: Key) => key.id],
    ['by alias', () => 'alias/app'],
  ])('sees after a second what another process changed, %s', async (_how, referenceOf) => {
    const domain = await openDomain();
    const { key } = await aliasedKey(domain);
    const reference = referenceOf(key);
    await domain.kms.keys.resolve(reference);
    disableElsewhere(domain, key);
    clock += 999;
    await expect(domain.kms.keys.resolve(reference)).resolves.toMatchObject({ state: 'enabled' });
    clock += 1;
    await expect(domain.kms.keys.resolve(reference)).resolves.toMatchObject({ state: 'disabled' });
  });

  it('sees a change after a second, though the alias was looked up later than the key', async () => {
    const domain = await openDomain();
    const { key } = await aliasedKey(domain);
    await domain.kms.keys.resolve(key.id);
    clock += 900;
    await domain.kms.keys.resolve('alias/app');
    disableElsewhere(domain, key);
    clock += 100;
    await expect(domain.kms.keys.resolve('alias/app')).resolves.toMatchObject({ state: 'disabled' });
  });

  it('sees after a second that another process gave an alias to another key', async () => {
    const domain = await openDomain();
    await aliasedKey(domain);
    const other = await createKey(domain.kms, newCall(), { description: 'the other' });
    await domain.kms.keys.resolve('alias/app');
    elsewhere(domain, `UPDATE aliases SET key_id = '${other.id}'`);
    clock += 1_000;
    await expect(domain.kms.keys.resolve('alias/app')).resolves.toEqual(other);
  });

  it('remembers for a second that there is none', async () => {
    const domain = await openDomain();
    const { asked } = await aliasedKey(domain);
    for (const reference of [UNKNOWN_ID, 'alias/nobody']) {
      for (let time = 0; time < 3; time++) {
        expect(await codeOf(domain.kms.keys.resolve(reference))).toMatch(/^(ALIAS_)?NOT_FOUND$/);
      }
    }
    expect(asked.key).toHaveBeenCalledTimes(1);
    expect(asked.alias).toHaveBeenCalledTimes(1);
    clock += 1_000;
    await expect(domain.kms.keys.findById(UNKNOWN_ID as KeyId)).resolves.toBeUndefined();
    expect(asked.key).toHaveBeenCalledTimes(2);
  });

  it('forgets at once when told to, also what is being looked up', async () => {
    const domain = await openDomain();
    const { key, asked } = await aliasedKey(domain);
    const { keys, store } = domain.kms;
    const early = [keys.resolve(key.id), keys.resolve('alias/app')];
    await store.keys.setState(key.id, 'disabled');
    keys.forget();
    await Promise.all(early);
    await expect(keys.resolve(key.id)).resolves.toMatchObject({ state: 'disabled' });
    await expect(keys.resolve('alias/app')).resolves.toMatchObject({ state: 'disabled' });
    expect(asked.alias).toHaveBeenCalledTimes(2);
  });

  it('does not remember that the store failed', async () => {
    const domain = await openDomain();
    const { key } = await aliasedKey(domain);
    const { keys } = domain.kms;
    elsewhere(domain, 'ALTER TABLE keys RENAME TO away');
    // The addon's errors are of another realm than this test's Error.
    const failure = { message: 'no such table: keys' };
    await expect(keys.resolve(key.id)).rejects.toMatchObject(failure);
    await expect(keys.resolve('alias/app')).rejects.toMatchObject(failure);
    elsewhere(domain, 'ALTER TABLE away RENAME TO keys');
    await expect(keys.resolve(key.id)).resolves.toEqual(key);
    await expect(keys.resolve('alias/app')).resolves.toEqual(key);
  });

  it('remembers no more than 10,000 names', async () => {
    const domain = await openDomain();
    const { asked } = await aliasedKey(domain);
    const madeUp = (number: number) =>
      `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}` as KeyId;
    for (let number = 0; number < 10_000; number++) await domain.kms.keys.findById(madeUp(number));
    await domain.kms.keys.findById(madeUp(0));
    expect(asked.key).toHaveBeenCalledTimes(10_000);
    await domain.kms.keys.findById(madeUp(10_000));
    await domain.kms.keys.findById(madeUp(0));
    expect(asked.key).toHaveBeenCalledTimes(10_002);
  });
});
