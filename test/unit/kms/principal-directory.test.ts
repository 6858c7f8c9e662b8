import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmsError } from '../../../src/errors';
import { createArns } from '../../../src/kms/arns';
import { createPrincipalDirectory, type PrincipalDirectory } from '../../../src/kms/principal-directory';
import { makeAccessKey, type Sealer, sealSecret } from '../../../src/kms/secret-access-keys';
import { openStore, type Store } from '../../../src/store/store';
import { FakeToken } from './fake-token';
import { codeOf, PREFIX } from './fixture';

const SERVICE_KEY = '00'.repeat(16);
const TODAY = '20261122';
const TOMORROW = '20261123';
const ALLOW_ALL = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
});

let clock = 0;
let wall = 0;
let token: FakeToken;
let store: Store;
let sealer: Sealer;
let directory: PrincipalDirectory;
/** The secrets that were derived from, as they were then. */
let derived: string[];
let handed: Buffer[];

const derive = (secret: Buffer, date: string): Buffer => {
  derived.push(secret.toString());
  handed.push(secret);
  return signingKeyOf(secret, date);
};
const signingKeyOf = (secret: Buffer | string, date: string) =>
  createHmac('sha256', secret).update(date).digest();

beforeEach(async () => {
  clock += 1_000_000;
  wall = Date.parse('2026-11-22T12:00:00Z');
  jest.spyOn(performance, 'now').mockImplementation(() => clock);
  jest.spyOn(Date, 'now').mockImplementation(() => wall);
  const dataDir = mkdtempSync(join(tmpdir(), 'p11kms-principals-'));
  store = await openStore(dataDir);
  removals.push(() => rmSync(dataDir, { recursive: true, force: true }));
  token = new FakeToken();
  token.objects.set(SERVICE_KEY, 'service');
  const { id: storeId } = await store.identity.read();
  sealer = { run: (name, input) => token.run(name, input), storeId, serviceKey: SERVICE_KEY };
  [derived, handed] = [[], []];
  const parts = { store, token, arns: createArns(PREFIX), storeId, serviceKey: SERVICE_KEY };
  directory = await createPrincipalDirectory(parts, derive);
  await store.principals.createRoot(await newKey());
  token.jobs.length = 0;
});

const removals: (() => void)[] = [];
const secrets = new Map<string, string>();
afterEach(async () => {
  jest.restoreAllMocks();
  await store.close();
  for (const remove of removals.splice(0)) remove();
});

async function newKey() {
  const accessKey = await makeAccessKey(sealer);
  secrets.set(accessKey.id, accessKey.secret.toString());
  return { id: accessKey.id, sealed_secret: await sealSecret(sealer, accessKey) };
}

/** A principal with an access key, whose id is returned. */
async function addUser(name: string, certificateSubject?: string): Promise<string> {
  const key = await newKey();
  await store.principals.create({ name, ...(certificateSubject && { certificateSubject }) }, key);
  token.jobs.length = 0;
  return key.id;
}

const decryptions = () => token.jobNames.filter((name) => name === 'decrypt').length;
const madeUp = (number: number) =>
  `AKIA${String(number)
    .padStart(16, '0')
    .replace(/\d/g, (digit) => 'ABCDEFGHIJ'.charAt(Number(digit)))}`;
const right = (id: string, date: string) => signingKeyOf(secrets.get(id) ?? '', date);

describe('by access key', () => {
  it('finds the signing key of a date, and whose it is with its policies', async () => {
    const id = await addUser('app');
    await store.principals.attachPolicy('app', 'all', ALLOW_ALL);
    const { signingKey, identity } = await directory.findSigningKey(id, TODAY);
    expect(signingKey).toEqual(right(id, TODAY));
    expect(identity?.identity).toEqual({
      arn: 'arn:aws:iam::111122223333:user/app',
      account: '111122223333',
      kind: 'user',
      name: 'app',
    });
    expect(identity?.policies).toEqual([expect.objectContaining({ version: '2012-10-17' })]);
  });

  it('finds the root principal', async () => {
    const [{ accessKeys = [] } = {}] = await store.principals.list();
    const id = accessKeys[0]?.id ?? '';
    const { signingKey, identity } = await directory.findSigningKey(id, TODAY);
    expect(signingKey).toEqual(right(id, TODAY));
    expect(identity).toEqual(directory.root());
    expect(directory.root().identity).toMatchObject({
      arn: 'arn:aws:iam::111122223333:root',
      kind: 'root',
    });
  });

  it('asks the token once for a date, however many ask at once and later', async () => {
    const id = await addUser('app');
    const found = await Promise.all(Array.from({ length: 20 }, () => directory.findSigningKey(id, TODAY)));
    clock += 3_600_000;
    found.push(await directory.findSigningKey(id, TODAY));
    for (const { signingKey } of found) expect(signingKey).toEqual(right(id, TODAY));
    expect(decryptions()).toBe(1);
  });

  it('keeps no secret', async () => {
    const id = await addUser('app');
    await directory.findSigningKey(id, TODAY);
    expect(derived).toEqual([secrets.get(id)]);
    expect(handed.every((secret) => secret.every((byte) => byte === 0))).toBe(true);
  });

  it('hands out copies: what one caller does to its own is nothing to others', async () => {
    const id = await addUser('app');
    const { signingKey } = await directory.findSigningKey(id, TODAY);
    signingKey.fill(0);
    expect((await directory.findSigningKey(id, TODAY)).signingKey).toEqual(right(id, TODAY));
    expect(decryptions()).toBe(1);
  });

  it('knows the dates on both sides of midnight, while both are being used', async () => {
    const id = await addUser('app');
    await directory.findSigningKey(id, TODAY);
    wall = Date.parse('2026-11-22T23:58:00Z');
    for (const date of [TOMORROW, TODAY, TOMORROW]) {
      expect((await directory.findSigningKey(id, date)).signingKey).toEqual(right(id, date));
    }
    expect(decryptions()).toBe(2);
    wall = Date.parse('2026-11-23T12:00:00Z');
    expect((await directory.findSigningKey(id, TODAY)).signingKey).not.toEqual(right(id, TODAY));
    expect((await directory.findSigningKey(id, TOMORROW)).signingKey).toEqual(right(id, TOMORROW));
    expect(decryptions()).toBe(2);
  });

  it.each(['20261121', '20261123', '20001122', '', 'x'.repeat(1_000)])(
    'has nothing that fits the date %.20s, which costs the token nothing more',
    async (date) => {
      const id = await addUser('app');
      for (let time = 0; time < 3; time++) {
        const { signingKey, identity } = await directory.findSigningKey(id, date);
        expect(signingKey).not.toEqual(right(id, date));
        expect(signingKey).not.toEqual(right(id, TODAY));
        expect(identity?.identity.name).toBe('app');
      }
      await directory.findSigningKey(id, TODAY);
      expect(decryptions()).toBe(1);
    },
  );

  it('does not remember that the token was away', async () => {
    const id = await addUser('app');
    token.failAt('decrypt', new KmsError('KEY_UNAVAILABLE', 'away'));
    expect(await codeOf(directory.findSigningKey(id, TODAY))).toBe('KEY_UNAVAILABLE');
    token.work();
    expect((await directory.findSigningKey(id, TODAY)).signingKey).toEqual(right(id, TODAY));
  });

  it('needs no token for what it remembers', async () => {
    const id = await addUser('app');
    await directory.findSigningKey(id, TODAY);
    token.failAt('decrypt', new KmsError('KEY_UNAVAILABLE', 'away'));
    clock += 10_000;
    expect((await directory.findSigningKey(id, TODAY)).signingKey).toEqual(right(id, TODAY));
  });

  it('refuses to go by a policy that cannot be read', async () => {
    const id = await addUser('app');
    await store.principals.attachPolicy('app', 'all', '{}');
    await expect(directory.findSigningKey(id, TODAY)).rejects.toThrow('a policy of the principal app cannot');
  });
});

describe('what another process changes', () => {
  const change = async (what: () => Promise<unknown>, id: string) => {
    await directory.findSigningKey(id, TODAY);
    await what();
    clock += 999;
    const before = await directory.findSigningKey(id, TODAY);
    clock += 1;
    const after = await directory.findSigningKey(id, TODAY);
    return { before, after };
  };

  it('ends an access key within a second, though its signing key is remembered', async () => {
    const id = await addUser('app');
    const { before, after } = await change(() => store.principals.remove('app'), id);
    expect(before.identity).toBeDefined();
    expect(after.identity).toBeUndefined();
    expect(after.signingKey).not.toEqual(right(id, TODAY));
  });

  it('ends an access key at its time', async () => {
    const id = await addUser('app');
    await store.principals.addAccessKey('app', await newKey(), wall + 60_000);
    await directory.findSigningKey(id, TODAY);
    wall += 59_999;
    expect((await directory.findSigningKey(id, TODAY)).identity).toBeDefined();
    wall += 1;
    expect(await directory.findSigningKey(id, TODAY)).toMatchObject({ identity: undefined });
  });

  it('makes a new access key work within a second, though it was asked for before', async () => {
    const key = await newKey();
    expect((await directory.findSigningKey(key.id, TODAY)).identity).toBeUndefined();
    await store.principals.create({ name: 'app' }, key);
    clock += 1_000;
    const { signingKey, identity } = await directory.findSigningKey(key.id, TODAY);
    expect(identity?.identity.name).toBe('app');
    expect(signingKey).toEqual(right(key.id, TODAY));
  });

  it('gives an access key that has another secret now another signing key', async () => {
    const id = await addUser('app');
    const other = { id, secret: Buffer.from('another secret') };
    const { after } = await change(async () => {
      await store.principals.remove('app');
      const key = { id, sealed_secret: await sealSecret(sealer, other) };
      await store.principals.create({ name: 'app' }, key);
    }, id);
    expect(after.signingKey).toEqual(signingKeyOf('another secret', TODAY));
  });

  it('changes what a principal may do within a second', async () => {
    const id = await addUser('app');
    const { before, after } = await change(() => store.principals.attachPolicy('app', 'all', ALLOW_ALL), id);
    expect(before.identity?.policies).toHaveLength(0);
    expect(after.identity?.policies).toHaveLength(1);
  });

  it('is known at once after forget()', async () => {
    const id = await addUser('app', 'CN=app');
    await directory.findSigningKey(id, TODAY);
    await directory.findByCertificate('CN=app');
    await store.principals.remove('app');
    directory.forget();
    expect((await directory.findSigningKey(id, TODAY)).identity).toBeUndefined();
    expect(await directory.findByCertificate('CN=app')).toBeUndefined();
  });
});

describe('for an access key that nobody has', () => {
  it('does the same work as for one that somebody has: store, token and derivation, the first time', async () => {
    const known = await addUser('app');
    const asked = jest.spyOn(store.principals, 'findByAccessKey');
    const workOf = async (id: string) => {
      const before = [asked.mock.calls.length, token.jobs.length, derived.length] as const;
      await directory.findSigningKey(id, TODAY);
      const jobs = token.jobs.slice(before[1]);
      return [asked.mock.calls.length - before[0], jobs.map(({ name }) => name), derived.length - before[2]];
    };
    for (const id of [known, madeUp(1)]) {
      expect(await workOf(id)).toEqual([1, ['decrypt'], 1]);
      expect(await workOf(id)).toEqual([0, [], 0]);
      clock += 1_000;
      expect(await workOf(id)).toEqual([1, [], 0]);
    }
    const [mine, theirs] = token.jobs as unknown as readonly { input: { sealed: Buffer; object: string } }[];
    expect(theirs?.input.sealed.length).toBe(mine?.input.sealed.length);
    expect(theirs?.input.object).toBe(mine?.input.object);
  });

  it('finds nobody, and another key each time', async () => {
    const one = await directory.findSigningKey(madeUp(1), TODAY);
    const two = await directory.findSigningKey(madeUp(1), TODAY);
    expect([one.identity, two.identity]).toEqual([undefined, undefined]);
    expect([one.signingKey.length, two.signingKey.length]).toEqual([32, 32]);
    expect(one.signingKey).not.toEqual(two.signingKey);
  });

  it('has one job on the token at a time, however many come at once', async () => {
    const { run } = token;
    let [running, most] = [0, 0];
    jest.spyOn(token, 'run').mockImplementation(async (...args) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      return run.apply(token, args).finally(() => running--) as never;
    });
    await Promise.all(
      Array.from({ length: 1_000 }, (_, number) => directory.findSigningKey(madeUp(number), TODAY)),
    );
    expect(most).toBe(1);
    expect(decryptions()).toBeLessThan(10);
  });

  it('does the work again for the next made-up one', async () => {
    for (let number = 0; number < 5; number++) await directory.findSigningKey(madeUp(number), TODAY);
    expect(decryptions()).toBe(5);
  });

  it.each(['', 'AKIA', 'akiaaaaaaaaaaaaaaaaa', 'x'.repeat(100_000), '__proto__'])(
    'takes %.20s, which is none, for one of them',
    async (id) => {
      expect((await directory.findSigningKey(id, TODAY)).identity).toBeUndefined();
      expect(decryptions()).toBe(1);
    },
  );

  it('says that the token is away where it is, as for one that somebody has', async () => {
    token.failAt('decrypt', new KmsError('KEY_UNAVAILABLE', 'away'));
    expect(await codeOf(directory.findSigningKey(madeUp(1), TODAY))).toBe('KEY_UNAVAILABLE');
    token.work();
    expect((await directory.findSigningKey(madeUp(1), TODAY)).identity).toBeUndefined();
  });
});

describe('by certificate', () => {
  it('finds whose subject it is, in whatever way it is written', async () => {
    await addUser('app', 'C=DE,O=Example\\, Inc.,CN=app');
    const found = await directory.findByCertificate('C=DE\nO=Example\\, Inc.\nCN=app');
    expect(found?.identity).toMatchObject({ kind: 'user', name: 'app' });
    expect(await directory.findByCertificate('CN = app, O = "Example, Inc.", C = DE')).toEqual(found);
  });

  it.each(['CN=app,O=Example', 'CN=APP', '', 'app'])('finds nobody for %j', async (subject) => {
    await addUser('app', 'CN=app');
    await addUser('other');
    expect(await directory.findByCertificate(subject)).toBeUndefined();
  });

  it('sees within a second what another process changes, and asks the store no more often', async () => {
    await addUser('app', 'CN=app');
    const asked = jest.spyOn(store.principals, 'findByCertificate');
    await directory.findByCertificate('CN=app');
    await store.principals.remove('app');
    clock += 999;
    expect(await directory.findByCertificate('CN=app')).toBeDefined();
    expect(asked).toHaveBeenCalledTimes(1);
    clock += 1;
    expect(await directory.findByCertificate('CN=app')).toBeUndefined();
  });
});
