import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as kms from '@aws-sdk/client-kms';
import SQLite from 'better-sqlite3';
import { atEnd } from '../support/at-end';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient } from '../support/kms-client';
import { Program, runToEnd } from '../support/program';
import { restoration } from '../support/restoration';
import { eventually, p11kms, type Server, startServer } from '../support/server';
import { createSite, neighbour, type Site, tokenObjects } from '../support/site';

const MAIN = resolve(__dirname, '../../dist/main.js');
const DAY_MS = 86_400_000;
const BOUND = 1_000_000;
/** What a key that is being destroyed waits for is over in some seconds then. */
const TIMEOUTS = { P11KMS_TOKEN_TIMEOUT_MS: '3000', P11KMS_KEY_PAIR_TIMEOUT_MS: '3000' };
/** A backup job knows neither token nor PIN. */
const NO_TOKEN = {
  P11KMS_PIN_FILE: undefined,
  P11KMS_PKCS11_MODULE: undefined,
  P11KMS_TOKEN_LABEL: undefined,
};
const Plaintext = Buffer.from('plaintext');

const storeOf = ({ dataDir }: Site) => join(dataDir, 'p11kms.sqlite');

function withDatabase<T>(file: string, use: (database: SQLite.Database) => T): T {
  const database = new SQLite(file);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const keysIn = (file: string): string[] =>
  withDatabase(file, (database) => database.prepare('select id from keys').pluck().all() as string[]);

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-backup-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const encrypt = async (client: kms.KMSClient, KeyId: string) =>
  (await client.send(new kms.EncryptCommand({ KeyId, Plaintext }))).CiphertextBlob;

const decrypt = async (client: kms.KMSClient, CiphertextBlob: Uint8Array | undefined) =>
  Buffer.from((await client.send(new kms.DecryptCommand({ CiphertextBlob }))).Plaintext ?? []).toString();

const versionsOf = async (client: kms.KMSClient, KeyId: string): Promise<number> => {
  const { Rotations = [] } = await client.send(new kms.ListKeyRotationsCommand({ KeyId }));
  return 1 + Rotations.length;
};

// One story, told in its order.

const site = createSite();
const directory = newDirectory();
const file = join(directory, 'backup');
let server: Server;
let client: kms.KMSClient;
/** Keys by what happens to them, and something that was encrypted under each before the backup. */
const keys = { kept: '', used: '', unfinished: '', saved: '', doomed: '', late: '' };
const sealed = new Map<string, Uint8Array | undefined>();

beforeAll(async () => {
  server = await startServer(site, TIMEOUTS);
  client = kmsClient(server);
  for (const name of ['kept', 'used', 'unfinished', 'saved', 'doomed'] as const) {
    keys[name] = await createKey(client);
    sealed.set(name, await encrypt(client, keys[name]));
  }
  await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId: keys.saved, PendingWindowInDays: 7 }));
});

describe('p11kms backup', () => {
  it('copies the store of a service that works, and needs no PIN for it', async () => {
    let done = false;
    const created: string[] = [];
    const work = async () => {
      while (!done) {
        created.push(await createKey(client));
        await encrypt(client, keys.kept);
      }
    };
    const working = [work(), work()];
    await eventually(
      () => created.length >= 2 || undefined,
      10_000,
      () => 'no key is made',
    );
    const before = created.slice(0, 2);
    const { code, stdout, stderr } = await p11kms(['backup', file], site, NO_TOKEN);
    done = true;
    await Promise.all(working);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const bytes = statSync(file).size;
    expect(stdout).toMatch(
      new RegExp(`^backed up store [0-9a-f]{12}: \\d+ keys, ${bytes} bytes, to ${file}\\n$`),
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['backup']);
    expect(keysIn(file)).toEqual(expect.arrayContaining([...Object.values(keys).filter(Boolean), ...before]));
    expect(withDatabase(file, (database) => database.pragma('integrity_check', { simple: true }))).toBe('ok');
  });

  it('refuses a file that exists, and leaves it as it is', async () => {
    const before = readFileSync(file);
    const { code, stdout, stderr } = await p11kms(['backup', file], site);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `p11kms: ${file} exists already: a backup is made in a new file only\n`,
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('leaves nothing behind where the disk is full', async () => {
    // The shell's limit on the size of a file stands in for the disk's.
    const limited = ['-c', 'ulimit -f 20; exec "$@"', 'bash', process.execPath, MAIN, 'backup'];
    const env = { ...process.env, ...site.env };
    const { exitCode, output } = await runToEnd('bash', [...limited, join(directory, 'more')], { env });
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^p11kms: no backup was made in [^\n]*more: [^\n]*\n$/);
    expect(readdirSync(directory)).toEqual(['backup']);
  });

  it('says what is missing: a file, a store', async () => {
    expect(await p11kms(['backup'], site)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("missing required argument 'file'"),
    });
    const P11KMS_DATA_DIR = newDirectory();
    expect(await p11kms(['backup', join(directory, 'none')], site, { P11KMS_DATA_DIR })).toMatchObject({
      code: 1,
      stderr: `p11kms: there is no store in ${P11KMS_DATA_DIR} to back up\n`,
    });
  });

  it('leaves PostgreSQL to pg_dump, in one line without the password', async () => {
    const P11KMS_DATABASE_URL = 'postgres://me:secret@127.0.0.1:1/keys';
    const made = await p11kms(['backup', join(directory, 'pg')], site, { P11KMS_DATABASE_URL });
    expect(made).toMatchObject({ code: 1, stdout: '' });
    expect(made.stderr).toMatch(
      /^p11kms: the store is in postgres:\/\/me@127\.0\.0\.1:1\/keys: .*pg_dump.*\n$/,
    );
    const restored = await p11kms(['restore', file], site, { P11KMS_DATABASE_URL });
    expect(restored).toMatchObject({ code: 1, stdout: '' });
    expect(restored.stderr).toMatch(
      /^p11kms: the store is in postgres:\/\/me@.*pg_restore.*without a file\n$/,
    );
  });
});

describe('after the backup, while the service runs', () => {
  beforeAll(async () => {
    keys.late = await createKey(client);
    sealed.set('late', await encrypt(client, keys.late));
    await client.send(new kms.RotateKeyOnDemandCommand({ KeyId: keys.kept }));
    await client.send(new kms.CancelKeyDeletionCommand({ KeyId: keys.saved }));
    await client.send(new kms.EnableKeyCommand({ KeyId: keys.saved }));
    await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId: keys.doomed }));
    // The window passes.
    withDatabase(storeOf(site), (database) =>
      database
        .prepare('update keys set deletion_at = 0, deletion_heartbeat = 0 where id = ?')
        .run(keys.doomed),
    );
  });

  it('restore is refused', async () => {
    const { code, stdout, stderr } = await p11kms(['restore', '--yes', file], site);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^p11kms: another p11kms runs on .*: stop it.*\n$/);
    expect(await decrypt(client, sealed.get('late'))).toBe('plaintext');
  });

  it('restore --check tells of keys that were made and destroyed since, and changes nothing', async () => {
    await eventually(
      async () => {
        const answer = client.send(new kms.DescribeKeyCommand({ KeyId: keys.doomed }));
        return (await answer.catch(() => undefined)) ? undefined : true;
      },
      30_000,
      () => server.output(),
    );
    const before = tokenObjects(site);
    const names = readdirSync(site.dataDir);
    const found = await restoration(site, ['--check', file]);
    expect(found).toMatchObject({ code: 3, restored: false });
    const objects = [expect.any(String), expect.any(String)];
    expect(found.onlyOnToken).toEqual(
      expect.arrayContaining([
        { keyId: keys.late, version: 1, objects },
        { keyId: keys.kept, version: 2, keyState: 'enabled', objects },
      ]),
    );
    expect(found.onlyInStore).toMatchObject([
      { keyId: keys.doomed, version: 1, keyState: 'enabled', missing: objects },
    ]);
    expect(tokenObjects(site)).toEqual(before);
    expect(readdirSync(site.dataDir)).toEqual(names);
    expect(await decrypt(client, sealed.get('late'))).toBe('plaintext');
  });
});

describe('a store that cannot be restored', () => {
  // As a service leaves it that is killed.
  beforeAll(() => server.kill());

  const content = () => readFileSync(storeOf(site));

  it('because it lacks what the token has: exit code 3, and nothing is changed', async () => {
    const before = content();
    const { code, stdout } = await p11kms(['restore', file], site);
    expect(code).toBe(3);
    expect(stdout).toMatch(new RegExp(`^  ${keys.late}  1 +unknown$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^  ${keys.doomed}  1 +enabled +\\d{4}-\\d\\d-\\d\\d`, 'm'));
    expect(stdout).toMatch(/\nNothing was changed, .* add --yes\.\n$/);
    expect(content().equals(before)).toBe(true);
  });

  it("because the token is another store's", async () => {
    const other = createSite();
    const before = content();
    const { token } = other;
    const settings = {
      SOFTHSM2_CONF: token.configFile,
      P11KMS_TOKEN_LABEL: token.label,
      P11KMS_PIN_FILE: other.env.P11KMS_PIN_FILE,
    };
    expect(await restoration(site, ['--yes', file], settings)).toEqual({
      code: 1,
      restored: false,
      trouble: expect.stringContaining('the token does not belong to this store'),
    });
    expect(content().equals(before)).toBe(true);
    expect(tokenObjects(other)).toEqual([]);
  });

  it('because the token refuses the PIN: exit code 78', async () => {
    const settings = { P11KMS_PIN_FILE: undefined, P11KMS_PIN: '0000000000000000' };
    expect(await restoration(site, ['--yes', file], settings)).toMatchObject({ code: 78, restored: false });
  });

  it.each([
    ['garbage', () => writeFileSync(join(directory, 'garbage'), 'garbage '.repeat(1000)), 'not a database'],
    ['nothing', () => undefined, 'no such file'],
    [
      'newer',
      () => {
        cpSync(file, join(directory, 'newer'));
        withDatabase(join(directory, 'newer'), (database) =>
          database.exec("insert into kysely_migration values ('9999-newer', '2099-01-01')"),
        );
      },
      'a newer p11kms has written it',
    ],
  ])('because the file is no good: %s', async (name, prepare, why) => {
    prepare();
    const before = content();
    const { code, stdout, stderr } = await p11kms(['restore', '--yes', join(directory, name)], site);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(`^p11kms: ${join(directory, name)} cannot be restored: .*${why}.*\\n$`),
    );
    expect(content().equals(before)).toBe(true);
  });

  it('because there is no file', async () => {
    expect(await p11kms(['restore'], site)).toMatchObject({
      code: 1,
      stderr: 'p11kms: restore needs the file of a backup: p11kms restore FILE\n',
    });
  });
});

describe('a restore that is killed', () => {
  const large = join(directory, 'large');
  const killed = newDirectory();

  // As the killed service left them, but so large that copying takes its time.
  beforeAll(() => {
    cpSync(file, large);
    for (const name of readdirSync(site.dataDir).filter((one) => one.startsWith('p11kms.sqlite')))
      cpSync(join(site.dataDir, name), join(killed, name));
    for (const one of [large, join(killed, 'p11kms.sqlite')]) {
      withDatabase(one, (database) => {
        database.exec('create table ballast (bytes blob)');
        for (let count = 0; count < 20; count++)
          database.exec('insert into ballast values (randomblob(1000000))');
      });
    }
  });

  const has = (dataDir: string, name: RegExp) => readdirSync(dataDir).some((one) => name.test(one));

  it.each<[string, (dataDir: string) => boolean]>([
    ['as it begins to copy', (dataDir) => existsSync(join(dataDir, 'restore.tmp/p11kms.sqlite'))],
    ['as it adjusts the copy', (dataDir) => existsSync(join(dataDir, 'restore.tmp/p11kms.sqlite-wal'))],
    ['as it sets the old store aside', (dataDir) => existsSync(join(dataDir, 'restore.tmp/previous'))],
    ['when the old store is set aside', (dataDir) => has(dataDir, /before-restore/)],
    [
      'when the new store is in place',
      (dataDir) => has(dataDir, /before-restore/) && !existsSync(join(dataDir, 'restore.tmp/p11kms.sqlite')),
    ],
  ])('%s leaves one store, the old or the new, whole', async (_when, isTime) => {
    const dataDir = newDirectory();
    cpSync(killed, dataDir, { recursive: true });
    const env = { ...process.env, ...site.env, P11KMS_DATA_DIR: dataDir };
    const program = new Program(process.execPath, [MAIN, 'restore', '--yes', large], { env });
    let ended = false;
    void program.exitCode.then(() => {
      ended = true;
    });
    // Looks without a pause once it works on the store: some of the moments are short.
    while (!ended && !existsSync(join(dataDir, 'restore.tmp'))) await sleep(1);
    while (!ended && !isTime(dataDir)) await new Promise(setImmediate);
    program.kill('SIGKILL');
    await program.exitCode;

    const left = withDatabase(join(dataDir, 'p11kms.sqlite'), (database) => ({
      check: database.pragma('integrity_check', { simple: true }),
      ballast: database.prepare('select count(*) from ballast').pluck().get(),
      ids: database.prepare('select id from keys').pluck().all(),
      adjusted: database.prepare('select usage_tracked_since <> created_at from store').pluck().get(),
    }));
    expect(left).toMatchObject({ check: 'ok', ballast: 20 });
    const isOld = left.ids.includes(keys.late);
    expect(isOld ? 'old' : 'new and adjusted').toBe(left.adjusted === 1 ? 'new and adjusted' : 'old');
    // And it can be done again.
    const again = await restoration(site, ['--yes', large], { P11KMS_DATA_DIR: dataDir });
    expect(again).toMatchObject({ code: 0, restored: true });
    expect(keysIn(join(dataDir, 'p11kms.sqlite'))).not.toContain(keys.late);
    expect(readdirSync(dataDir)).not.toContain('restore.tmp');
  });
});

describe('a store that was restored', () => {
  const settings = { ...TIMEOUTS, P11KMS_GCM_CALLS_PER_KEY_VERSION: String(BOUND) };
  const adjusted = join(directory, 'adjusted');
  let begun: number;

  // A backup of half a minute ago, in which a key is nearly used up and another one in the making.
  beforeAll(() => {
    cpSync(file, adjusted);
    begun = Date.now();
    withDatabase(adjusted, (database) => {
      database.prepare('update store set heartbeat_at = ?').run(begun - 10_000);
      database.prepare('update key_versions set gcm_calls = ? where key_id = ?').run(BOUND - 100, keys.used);
      database.prepare("update key_versions set state = 'creating' where key_id = ?").run(keys.unfinished);
      database.prepare("update keys set state = 'creating' where id = ?").run(keys.unfinished);
    });
  });

  it('takes the place of the one that was there, which is kept', async () => {
    const before = tokenObjects(site);
    const found = await restoration(site, ['--yes', adjusted], settings);
    expect(found).toMatchObject({
      code: 0,
      restored: true,
      keys: { toRotate: 1 },
      deletions: [{ keyId: keys.saved }],
      forgotten: [],
    });
    // Perhaps with one that was really being made during the backup.
    expect(found.finished).toContainEqual({ keyId: keys.unfinished, version: 1 });
    const previous = String(found.previousStore);
    expect(keysIn(previous)).toContain(keys.late);
    expect(
      readdirSync(site.dataDir)
        .filter((name) => name.startsWith('p11kms.sqlite'))
        .sort(),
    ).toEqual(['p11kms.sqlite', previous.slice(site.dataDir.length + 1)]);
    for (const one of [storeOf(site), previous]) expect(statSync(one).mode & 0o777).toBe(0o600);
    expect(tokenObjects(site)).toEqual(before);
  });

  it('opens what was encrypted before the backup, and works on', async () => {
    server = await startServer(site, settings);
    client = kmsClient(server);
    for (const name of ['kept', 'used', 'unfinished'])
      expect(await decrypt(client, sealed.get(name))).toBe('plaintext');
    const key = await createKey(client);
    expect(await decrypt(client, await encrypt(client, key))).toBe('plaintext');
  });

  it('does not know what was made after the backup, and says so of what was destroyed', async () => {
    const CiphertextBlob = sealed.get('late');
    expect(await exceptionOf(client.send(new kms.DescribeKeyCommand({ KeyId: keys.late })))).toBe(
      'NotFoundException',
    );
    expect(await exceptionOf(client.send(new kms.DecryptCommand({ CiphertextBlob })))).toBe(
      'AccessDeniedException',
    );
    expect(await exceptionOf(encrypt(client, keys.doomed))).toBe('KeyUnavailableException');
  });

  it('rotates a key whose calls since the backup may have reached the bound, and no other', async () => {
    for (const id of [keys.used, keys.unfinished]) await encrypt(client, id);
    expect(await versionsOf(client, keys.used)).toBe(2);
    expect(await versionsOf(client, keys.unfinished)).toBe(1);
    expect(await decrypt(client, sealed.get('used'))).toBe('plaintext');
  });

  it('lets the window of a deletion begin again, and the key be saved', async () => {
    const { KeyMetadata } = await client.send(new kms.DescribeKeyCommand({ KeyId: keys.saved }));
    expect(KeyMetadata?.KeyState).toBe('PendingDeletion');
    expect(KeyMetadata?.DeletionDate?.getTime()).toBeGreaterThanOrEqual(begun + 7 * DAY_MS);
    await client.send(new kms.CancelKeyDeletionCommand({ KeyId: keys.saved }));
    await client.send(new kms.EnableKeyCommand({ KeyId: keys.saved }));
    expect(await decrypt(client, sealed.get('saved'))).toBe('plaintext');
    await server.terminate();
  });

  it('goes to an empty data directory, too: a new machine', async () => {
    const machine = neighbour(site);
    const found = await restoration(machine, ['--yes', file]);
    expect(found).toMatchObject({ code: 0, restored: true });
    expect(found).not.toHaveProperty('previousStore');
    const moved = await startServer(machine);
    expect(await decrypt(kmsClient(moved), sealed.get('kept'))).toBe('plaintext');
    await moved.terminate();
  });
});

it('a backup of a service that is stopped, restored where nothing has happened since, asks nothing', async () => {
  const quiet = createSite();
  const first = await startServer(quiet);
  await createKey(kmsClient(first));
  await first.terminate();
  const copy = join(newDirectory(), 'backup');
  expect(await p11kms(['backup', copy], quiet, NO_TOKEN)).toMatchObject({ code: 0 });
  expect(await p11kms(['restore', '--check', copy], quiet)).toMatchObject({ code: 0 });
  const { code, stdout, stderr } = await p11kms(['restore', copy], quiet);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\nThe store is restored\. The service can be started\.\n$/);
  expect(stdout).not.toContain(quiet.token.pin);
});
