import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type OpenToken, softHsm, type TestToken, until } from '../support/token';
import { AAD, createKey, encrypt, generatePair, type KeyObjects, refusalOf } from '../support/token-jobs';

describe('listing and destroying', () => {
  let fixture: TestToken;
  let token: OpenToken;

  beforeEach(async () => {
    fixture = await softHsm();
    token = await fixture.open({ tokenWorkers: 3 });
  });

  afterEach(async () => fixture.remove());

  it('lists by the beginning of the label, more objects than the token gives at once', async () => {
    const made: KeyObjects[] = [];
    for (let count = 0; count < 40; count++) made.push(await createKey(token, 'many'));
    await createKey(token, 'other');
    const { objects } = await token.run('listObjects', { labelPrefix: 'p11kms/test/many/' });
    expect(objects.map(({ id }) => id).sort()).toEqual(made.flatMap((key) => Object.values(key)).sort());
    expect(new Set(objects.map(({ label }) => label))).toEqual(
      new Set(['p11kms/test/many/1/encrypt', 'p11kms/test/many/1/wrap']),
    );
  });

  it('a destroyed key is gone for every worker, also where it was used before', async () => {
    const keys = await createKey(token);
    const other = await createKey(token);
    const all = () => Promise.all(Array.from({ length: 30 }, () => refusalOf(encrypt(token, keys, AAD))));
    expect(new Set(await all())).toEqual(new Set(['done']));
    await token.run('destroyObjects', { ids: Object.values(keys) });
    expect(new Set(await all())).toEqual(new Set(['KEY_UNAVAILABLE']));
    expect(await refusalOf(generatePair(token, keys, 'ECC_NIST_P256'))).toBe('KEY_UNAVAILABLE');
    expect(await refusalOf(encrypt(token, other, AAD))).toBe('done');
    // Once more does no harm.
    await token.run('destroyObjects', { ids: Object.values(keys) });
  });
});

describe('an object that a worker does not find', () => {
  let fixture: TestToken;
  let token: OpenToken;

  beforeEach(async () => {
    fixture = await softHsm();
    token = await fixture.open({ tokenWorkers: 2 });
  });

  afterEach(async () => fixture.remove());

  const keyFiles = () =>
    readdirSync(join(fixture.directory, 'tokens'), { recursive: true })
      .map((file) => join(fixture.directory, 'tokens', String(file)))
      .filter((file) => file.endsWith('.object'));

  it('though others do is found by the one that replaces it', async () => {
    const before = new Set(keyFiles());
    const keys = await createKey(token);
    const files = keyFiles().filter((file) => !before.has(file));
    expect(files).toHaveLength(2);
    // Gone while the workers look, and back without a sign of it: a process that is running looks no more.
    for (const file of files) renameSync(file, `${file}.away`);
    const other = await fixture.open({ tokenWorkers: 1 });
    await createKey(other);
    const all = () => Promise.all(Array.from({ length: 20 }, () => refusalOf(encrypt(token, keys, AAD))));
    expect(new Set(await all())).toEqual(new Set(['KEY_UNAVAILABLE']));
    for (const file of files) renameSync(`${file}.away`, file);
    await until('both workers were replaced', () => token.events.ended.length === 2);
    expect(new Set(await all())).toEqual(new Set(['done']));
    expect(token.events.ended.map(({ reason }) => reason)).toEqual(['drained', 'drained']);
  });

  it('because there is none costs a replacement, and not one each time', async () => {
    const missing = { encryptObject: '00'.repeat(16), wrapObject: '00'.repeat(16) };
    const keys = await createKey(token);
    for (let round = 0; round < 20; round++) {
      const jobs = [encrypt(token, missing, AAD), encrypt(token, missing, AAD), encrypt(token, keys, AAD)];
      expect(await Promise.all(jobs.map(refusalOf))).toEqual(['KEY_UNAVAILABLE', 'KEY_UNAVAILABLE', 'done']);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(token.events.ended.length).toBeLessThanOrEqual(2);
    expect(token.events.jobs.filter(({ outcome }) => outcome === 'ok')).toHaveLength(21);
  });

  it('is none that another made just before it made one itself', async () => {
    const makers = [await fixture.open({ tokenWorkers: 1 }), await fixture.open({ tokenWorkers: 1 })];
    const made: KeyObjects[] = [];
    for (const maker of [...makers, ...makers]) made.push(await createKey(maker));
    const jobs = makers.flatMap((maker) => made.map((keys) => refusalOf(encrypt(maker, keys, AAD))));
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
  });

  it('is none that others made at the same time', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => createKey(token)));
    const jobs = made.flatMap((keys) =>
      Array.from({ length: 6 }, () => refusalOf(encrypt(token, keys, AAD))),
    );
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(['done']));
  });
});
