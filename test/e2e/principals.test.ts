import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { atEnd } from '../support/at-end';
import { readCredentials } from '../support/credentials';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { runToEnd } from '../support/program';
import {
  eventually,
  type Finished,
  p11kms,
  type Server,
  type Settings,
  startServer,
} from '../support/server';
import { createSite } from '../support/site';
import { withStore } from '../support/store';
import { traces } from '../support/traces';

const MAIN = resolve(__dirname, '../../dist/main.js');
/** Whoever only changes who may do what knows neither token nor PIN. */
const NO_TOKEN: Settings = {
  P11KMS_PIN_FILE: undefined,
  P11KMS_PKCS11_MODULE: undefined,
  P11KMS_TOKEN_LABEL: undefined,
};
const LIST_KEYS = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' }],
});

const site = createSite();
const directory = mkdtempSync(join(tmpdir(), 'p11kms-principals-'));
atEnd(() => rmSync(directory, { recursive: true, force: true }));
const credentialsIn = join(site.dataDir, 'credentials');
const file = (name: string) => join(directory, name);

/** Everything that any command printed, and every secret that there was. */
const printed: string[] = [];
const secrets = new Set<string>();
let server: Server;

async function principals(args: readonly string[], settings: Settings = {}): Promise<Finished> {
  const finished = await p11kms(['principals', ...args], site, settings);
  printed.push(finished.stdout, finished.stderr);
  return finished;
}

async function done(args: readonly string[], settings?: Settings): Promise<string> {
  const { code, stdout, stderr } = await principals(args, settings);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** What a command says that refuses: on one line, for nothing else was said. */
async function refused(args: readonly string[], settings?: Settings): Promise<string> {
  const { code, stdout, stderr } = await principals(args, settings);
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 1, stdout: '', lines: 2 });
  return stderr.replace(/^p11kms: (.*)\n$/, '$1');
}

/** Reads an access key, and keeps its secret in mind. */
function credentialsOf(path: string) {
  const credentials = readCredentials(path);
  secrets.add(credentials.secretAccessKey);
  return credentials;
}

const clientOf = (path: string): KMSClient =>
  kmsClient({ url: server.url, credentials: credentialsOf(path) });

const callOf = (client: KMSClient) => client.send(new ListKeysCommand({}));

/** What a running service knows after a second. */
async function becomes(client: KMSClient, outcome: string): Promise<void> {
  let last = '';
  const ask = async () => {
    last = await callOf(client).then(
      () => 'ok',
      (error: Error) => error.name,
    );
    return last === outcome || undefined;
  };
  await eventually(ask, 5_000, () => `the call is ${last}, and not ${outcome}`);
}

async function create(name: string, ...options: string[]): Promise<string> {
  const path = file(`${name}.credentials`);
  await done(['create', name, '--credentials-file', path, ...options]);
  return path;
}

const list = async () => JSON.parse(await done(['list', '--json'], NO_TOKEN));

// One story, told in its order.

it('before the first start, commands say that it is missing, and make nothing', async () => {
  for (const args of [['list'], ['create', 'app', '--credentials-file', file('x')], ['rotate-key', 'root']])
    expect(await refused(args)).toMatch(/^there is no store in .* yet: start the service once/);
  expect(readdirSync(site.dataDir)).toEqual([]);
  expect(readdirSync(directory)).toEqual([]);
});

describe('the root principal', () => {
  it('is made at the first start: its access key is in a file that only its owner may read', async () => {
    server = await startServer(site);
    expect(statSync(credentialsIn).mode & 0o777).toBe(0o600);
    const [comment, ...lines] = readFileSync(credentialsIn, 'utf8').split('\n');
    expect(comment).toMatch(/^# p11kms: .*root/);
    expect(lines.map((line) => line.replace(/= .*/, '='))).toEqual([
      '[default]',
      'aws_access_key_id =',
      'aws_secret_access_key =',
      '',
    ]);
    const { accessKeyId, secretAccessKey } = credentialsOf(credentialsIn);
    expect(accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(secretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/);
    await expect(callOf(clientOf(credentialsIn))).resolves.toMatchObject({ Keys: [] });
    const line = await server.logged(({ message }) => message.includes('root principal'));
    expect(line).toMatchObject({ credentials: credentialsIn });
  });

  it('is there at the second start, which leaves the file alone', async () => {
    const before = [readFileSync(credentialsIn, 'utf8'), statSync(credentialsIn).mtimeMs];
    await server.terminate();
    printed.push(server.output());
    server = await startServer(site);
    expect([readFileSync(credentialsIn, 'utf8'), statSync(credentialsIn).mtimeMs]).toEqual(before);
    expect(server.output()).not.toContain('root principal');
    expect(await list()).toMatchObject([{ name: 'root', arn: 'arn:aws:iam::111122223333:root' }]);
  });

  it('gets a new access key where the file is lost', async () => {
    const before = clientOf(credentialsIn);
    rmSync(credentialsIn);
    expect(await done(['rotate-key', 'root'])).toContain(credentialsIn);
    expect(statSync(credentialsIn).mode & 0o777).toBe(0o600);
    await becomes(clientOf(credentialsIn), 'ok');
    await becomes(before, 'UnrecognizedClientException');
  });

  it.each<[string, string[], RegExp]>([
    ['be deleted', ['delete', 'Root', '--yes'], /^the root principal cannot be deleted: /],
    ['have policies', ['attach-policy', 'root', 'p', file('list-keys.json')], /needs no policies, and none/],
    [
      'be made by anybody',
      ['create', 'ROOT', '--credentials-file', file('x')],
      /^root is the name of the root/,
    ],
    [
      'have its key elsewhere',
      ['rotate-key', 'root', '--credentials-file', file('x')],
      /is always in .*\/credentials/,
    ],
  ])('cannot %s', async (_what, args, message) => {
    writeFileSync(file('list-keys.json'), LIST_KEYS);
    expect(await refused(args)).toMatch(message);
    expect(existsSync(file('x'))).toBe(false);
  });
});

describe('a principal', () => {
  let client: KMSClient;

  it('is made beside the running service, and may do what its policies say', async () => {
    const path = await create('app');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toContain('\n[app]\n');
    client = clientOf(path);
    await becomes(client, 'AccessDeniedException');
    expect((await refusalOf(callOf(client))).message).toContain('arn:aws:iam::111122223333:user/app');
    await done(['attach-policy', 'app', 'list-keys', file('list-keys.json')], NO_TOKEN);
    await becomes(client, 'ok');
    expect(await done(['show', 'APP'], NO_TOKEN)).toMatch(
      new RegExp(
        `^app\n +arn +arn:aws:iam::111122223333:user/app\n[^]*\nPolicy list-keys\n${escaped(LIST_KEYS)}\n$`,
      ),
    );
    await done(['detach-policy', 'app', 'list-keys'], NO_TOKEN);
    await becomes(client, 'AccessDeniedException');
  });

  it('is listed, for people and for programs', async () => {
    await done(
      ['create', 'machine', '--no-access-key', '--certificate-subject', 'O = "A, B", CN = machine'],
      NO_TOKEN,
    );
    const { accessKeyId } = credentialsOf(file('app.credentials'));
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(await list()).toEqual([
      {
        name: 'app',
        arn: 'arn:aws:iam::111122223333:user/app',
        createdAt: time,
        accessKeys: [{ id: accessKeyId, createdAt: time }],
        clientKeys: [],
        policies: [],
      },
      {
        name: 'machine',
        arn: 'arn:aws:iam::111122223333:user/machine',
        createdAt: time,
        certificateSubject: 'CN=machine,O=A\\, B',
        accessKeys: [],
        clientKeys: [],
        policies: [],
      },
      expect.objectContaining({ name: 'root' }),
    ]);
    expect(await done(['list'], NO_TOKEN)).toMatch(
      new RegExp(
        `^NAME +ACCESS KEYS +CLIENT KEYS +POLICIES +CERTIFICATE +CREATED\napp +${accessKeyId} +- +- +- +2.*\nmachine `,
      ),
    );
  });

  it('gets another access key; the old one goes on for the grace, and then ends', async () => {
    const path = file('app-2.credentials');
    await done(['rotate-key', 'app', '--grace', '1h', '--credentials-file', path]);
    await becomes(clientOf(path), 'AccessDeniedException');
    await becomes(client, 'AccessDeniedException');
    const [{ accessKeys }] = await list();
    expect(accessKeys).toMatchObject([
      { expiresAt: expect.any(String) },
      { id: credentialsOf(path).accessKeyId },
    ]);
    expect(accessKeys[1]).not.toHaveProperty('expiresAt');
    const third = ['rotate-key', 'app', '--grace', '2h', '--credentials-file', file('app-3.credentials')];
    expect(await refused(third)).toMatch(/^app has 2 access keys already: wait until the older one ends, or/);
    withStore(site, (database) =>
      database.exec('update access_keys set expires_at = 1 where expires_at is not null'),
    );
    await becomes(client, 'UnrecognizedClientException');
    await becomes(clientOf(path), 'AccessDeniedException');
    await done(third);
    await becomes(clientOf(path), 'AccessDeniedException');
    await becomes(clientOf(file('app-3.credentials')), 'AccessDeniedException');
  });

  it('gets another access key, and without a grace the old ones end at once', async () => {
    const old = ['app-2', 'app-3'].map((name) => clientOf(file(`${name}.credentials`)));
    await done(['rotate-key', 'app', '--credentials-file', file('app-4.credentials')]);
    await becomes(clientOf(file('app-4.credentials')), 'AccessDeniedException');
    for (const client of old) await becomes(client, 'UnrecognizedClientException');
  });

  it('is deleted only with --yes, and then cannot call any more', async () => {
    const last = clientOf(file('app-4.credentials'));
    const { accessKeyId } = credentialsOf(file('app-4.credentials'));
    expect(await refused(['delete', 'app'], NO_TOKEN)).toBe(
      'nothing was deleted. Whoever is app could not call any more: ' +
        `--yes deletes app, with its access key ${accessKeyId}, at once and for good`,
    );
    expect(await exceptionOf(callOf(last))).toBe('AccessDeniedException');
    expect(await done(['delete', 'App', '--yes'], NO_TOKEN)).toMatch(
      new RegExp(`^deleted app, with its access key ${accessKeyId}\n`),
    );
    await becomes(last, 'UnrecognizedClientException');
    expect(await refused(['show', 'app'], NO_TOKEN)).toMatch(
      /^there is no principal app: p11kms principals list/,
    );
  });
});

describe('is refused, with what to do about it, and nothing has changed:', () => {
  let before: unknown;
  beforeAll(async () => {
    before = await list();
    writeFileSync(file('policy.json'), LIST_KEYS);
    writeFileSync(file('no.json'), '{\n  "Version": "2012-10-17"\n  "Statement": []\n}\n');
    writeFileSync(file('bad.json'), '{"Statement":{"Effect":"Allow","Action":"kms Encrypt","Resource":"*"}}');
    writeFileSync(file('mine.credentials'), 'mine');
  });

  it.each<[string, string[], RegExp]>([
    [
      'a name that is none',
      ['create', 'a b', '--credentials-file', file('x')],
      /^"a b" is no name for a principal: it must/,
    ],
    [
      'a name that is taken',
      ['create', 'MACHINE', '--credentials-file', file('x')],
      /a principal machine already/,
    ],
    [
      'a certificate that is none',
      ['create', 'b', '--certificate-subject', '/CN=b'],
      /is no subject .* CN=billing,O=/,
    ],
    [
      'a file that exists',
      ['create', 'b', '--credentials-file', file('mine.credentials')],
      /exists already: move it/,
    ],
    [
      'a file for no access key',
      ['create', 'b', '--no-access-key', '--credentials-file', file('x')],
      /of no use/,
    ],
    ['a rotation for nobody', ['rotate-key', 'nobody'], /^there is no principal nobody/],
    [
      'a policy that is not JSON',
      ['attach-policy', 'machine', 'p', file('no.json')],
      /not JSON: .*line 3, column 3$/,
    ],
    [
      'a policy that is wrong',
      ['attach-policy', 'machine', 'p', file('bad.json')],
      /bad\.json: Statement\.Action /,
    ],
  ])('%s', async (_what, args, message) => {
    expect(await refused(args)).toMatch(message);
    expect(existsSync(file('x'))).toBe(false);
  });

  it('an access key without the token, or with a wrong PIN', async () => {
    const args = ['create', 'b', '--credentials-file', file('x')];
    const { code, stderr } = await principals(args, NO_TOKEN);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('P11KMS_TOKEN_LABEL is required'),
    });
    expect(await refused(args, { P11KMS_TOKEN_LABEL: 'other' })).toContain('no token is labelled "other"');
    const wrongPin = { P11KMS_PIN_FILE: undefined, P11KMS_PIN: '0000000000000000' };
    expect(await principals(args, wrongPin)).toMatchObject({ code: 78 });
    expect(existsSync(file('x'))).toBe(false);
  });

  afterAll(async () => {
    expect(await list()).toEqual(before);
    expect(readFileSync(file('mine.credentials'), 'utf8')).toBe('mine');
  });
});

it('the file is ./NAME.credentials where none is named', async () => {
  const cwd = mkdtempSync(join(directory, 'cwd-'));
  const env = { PATH: process.env.PATH, ...site.env };
  const { exitCode, output } = await runToEnd(process.execPath, [MAIN, 'principals', 'create', 'b'], {
    env,
    cwd,
  });
  printed.push(output);
  expect({ exitCode, files: readdirSync(cwd) }).toEqual({ exitCode: 0, files: ['b.credentials'] });
  await becomes(clientOf(join(cwd, 'b.credentials')), 'AccessDeniedException');
});

it('every change is in the audit record, with who made it and what', () => {
  const records = auditRecords();
  expect(records.map(({ operation }) => operation)).toEqual(
    expect.arrayContaining([
      'CreatePrincipal',
      'DeletePrincipal',
      'RotateAccessKey',
      'AttachPolicy',
      'DetachPolicy',
    ]),
  );
  const { accessKeyId } = credentialsOf(file('app.credentials'));
  const made = records.find(({ details }) => details.accessKey === accessKeyId);
  expect(made).toMatchObject({
    protocol: 'cli',
    principal: expect.stringMatching(/^os-user\/.+/),
    operation: 'CreatePrincipal',
    outcome: 'ok',
    details: { name: 'app' },
  });
  // What was refused once the token had made a key, or the policy had been read.
  expect(records.filter(({ outcome }) => outcome !== 'ok').map(({ error }) => error)).toEqual(
    expect.arrayContaining(['INVALID_REQUEST', 'StartError']),
  );
});

it('the audit record is whole, and of the commands that had the token at hand it is signed', async () => {
  const { code, stdout } = await p11kms(['audit', 'verify', join(site.dataDir, 'audit'), '--json'], site);
  expect({ code, verdict: JSON.parse(stdout) }).toMatchObject({ code: 0 });
  const signed = auditFiles().filter(
    (bytes) => bytes.includes('"protocol":"cli"') && bytes.includes('"signature"'),
  );
  const operations = signed.map((bytes) => /"operation":"(\w+)"/.exec(bytes.toString())?.[1]);
  expect(new Set(operations)).toEqual(new Set(['CreatePrincipal', 'RotateAccessKey']));
});

interface Recorded {
  readonly protocol: string;
  readonly operation: string;
  readonly outcome: string;
  readonly error?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

const auditFiles = () =>
  readdirSync(join(site.dataDir, 'audit')).map((name) => readFileSync(join(site.dataDir, 'audit', name)));

/** What the command line has recorded. Files that are being written have zeros at their end. */
const auditRecords = (): Recorded[] =>
  auditFiles()
    .flatMap((bytes) => bytes.toString().split('\n'))
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Recorded)
    .filter(({ protocol }) => protocol === 'cli');

it('a change that cannot be recorded is not made', async () => {
  const audit = join(site.dataDir, 'audit');
  const path = file('unrecorded.credentials');
  chmodSync(audit, 0o500);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    // Nothing stops root, except what is no directory.
    const aside = `${audit}.aside`;
    renameSync(audit, aside);
    writeFileSync(audit, '');
  }
  try {
    expect(await refused(['create', 'unrecorded', '--credentials-file', path])).toMatch(
      /^the audit directory/,
    );
  } finally {
    if (isRoot) {
      rmSync(audit);
      renameSync(`${audit}.aside`, audit);
    }
    chmodSync(audit, 0o700);
  }
  expect(existsSync(path)).toBe(false);
  expect(await refused(['show', 'unrecorded'])).toMatch(/^there is no principal unrecorded/);
});

describe('a store of before', () => {
  it('without a root principal gets one at the next start, and no command before', async () => {
    await server.terminate();
    printed.push(server.output());
    withStore(site, (database) =>
      database.exec(
        "delete from access_keys where principal = 'root'; delete from principals where name = 'root'",
      ),
    );
    expect(await refused(['list'])).toMatch(
      /^the store in .* has no root principal yet: start the service once/,
    );
    const { accessKeyId } = credentialsOf(credentialsIn);
    server = await startServer(site);
    expect(credentialsOf(credentialsIn).accessKeyId).not.toBe(accessKeyId);
    await expect(callOf(clientOf(credentialsIn))).resolves.toMatchObject({ Keys: [] });
  });

  it('does not start over the file of a user of the store', async () => {
    await server.terminate();
    printed.push(server.output());
    const taken = await create('c');
    const text = readFileSync(taken, 'utf8');
    credentialsOf(taken);
    writeFileSync(credentialsIn, text);
    expect(await refused(['rotate-key', 'root'])).toMatch(
      /credentials has the access key of the principal c: move/,
    );
    expect(readFileSync(credentialsIn, 'utf8')).toBe(text);
  });
});

it('no secret is in anything that was printed, in the store, or in the audit record', () => {
  expect(secrets.size).toBeGreaterThan(6);
  const stored = readdirSync(site.dataDir)
    .filter((name) => name.startsWith('p11kms.sqlite'))
    .map((name) => readFileSync(join(site.dataDir, name)));
  const everything = Buffer.concat([Buffer.from(printed.join('')), ...stored, ...auditFiles()]).toString(
    'latin1',
  );
  expect(everything.length).toBeGreaterThan(100_000);
  for (const secret of secrets)
    expect(traces(Buffer.from(secret)).filter((trace) => everything.includes(trace))).toEqual([]);
});

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
