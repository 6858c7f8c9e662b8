import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from '../support/at-end';
import { openClientKeyFile } from '../support/client-keys';
import { type Finished, p11kms, type Server, type Settings, startServer } from '../support/server';
import { createSite } from '../support/site';
import { withStore } from '../support/store';
import { traces } from '../support/traces';

/** Client keys need neither token nor PIN. */
const NO_TOKEN: Settings = {
  P11KMS_PIN_FILE: undefined,
  P11KMS_PKCS11_MODULE: undefined,
  P11KMS_TOKEN_LABEL: undefined,
};
const DAY_MS = 86_400_000;
const TIME = expect.stringMatching(/^\d{4}-.*Z$/);

const site = createSite();
const directory = mkdtempSync(join(tmpdir(), 'p11kms-client-keys-'));
atEnd(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string) => join(directory, name);

/** Everything that was printed, less the passwords that were to be, and every secret that there was. */
const printed: string[] = [];
const secrets: Buffer[] = [];
let server: Server;

async function run(args: readonly string[]): Promise<Finished> {
  const finished = await p11kms(args, site, NO_TOKEN);
  printed.push(finished.stdout.replace(/^(Its password is kept nowhere.*\n).*$/m, '$1'), finished.stderr);
  return finished;
}

async function done(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** What a command says that refuses. */
async function refused(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  return stderr.replace(/^p11kms: (.*)\n$/s, '$1');
}

const creation = (principal: string, name: string, ...more: string[]) => [
  'client-keys',
  'create',
  '--principal',
  principal,
  '--out',
  file(name),
  ...more,
];

const idIn = (name: string): string => JSON.parse(readFileSync(file(name), 'utf8')).KeyId;

/** As people are shown a time. */
const seconds = (time: string): string => time.replace(/\.\d+Z$/, 'Z');

const list = async () => JSON.parse(await done(['client-keys', 'list', '--json']));

/** The private key in a file of a client key; it and the password are secrets from then on. */
function openFile(name: string, password: string): KeyObject {
  const key = openClientKeyFile(file(name), password).privateKey;
  const { d = '', p = '', q = '' } = key.export({ format: 'jwk' });
  secrets.push(Buffer.from(password), ...[d, p, q].map((half) => Buffer.from(half, 'base64url')));
  return key;
}

/** Every client key, as the store has it. */
const rows = () =>
  withStore(site, (database) =>
    database.prepare<[], { id: string; expires_at: number }>('select * from client_keys order by id').all(),
  );

/** The public half, as the store has it. */
function kept(id: string): KeyObject {
  const select = 'select public_key from client_keys where id = ?';
  const spki = withStore(site, (database) => database.prepare(select).pluck().get(id));
  return createPublicKey({ key: Buffer.from(String(spki), 'base64'), format: 'der', type: 'spki' });
}

beforeAll(async () => {
  server = await startServer(site);
  expect(await done(['principals', 'create', 'Billing', '--no-access-key'])).toContain(
    '\nIt cannot call yet: p11kms principals rotate-key Billing makes it an access key, ' +
      'p11kms client-keys create --principal Billing --out FILE a client key\n',
  );
});

// One story, told in its order.

it('a client key is made beside the running service, in a file for its owner alone', async () => {
  const said = await done(creation('bILLING', 'first'));
  const [made, where, kind, password = '', ...rest] = said.split('\n');
  const [{ expires_at: expiresAt } = { expires_at: 0 }] = rows();
  expect(made).toBe(
    `made the client key ${idIn('first')} of Billing, which ends at ${seconds(new Date(expiresAt).toISOString())}`,
  );
  expect(where).toBe(`It is in ${file('first')}, for its owner alone.`);
  expect(kind).toBe('Its password is kept nowhere, and not shown again:');
  expect(password).toMatch(/^[\w-]{32}$/);
  expect(rest).toEqual(['']);
  expect(statSync(file('first')).mode & 0o777).toBe(0o600);
  const publicKey = createPublicKey(openFile('first', password));
  expect(publicKey.equals(kept(idIn('first')))).toBe(true);
});

it('one of the root principal is made with the password in a file, and for a time', async () => {
  writeFileSync(file('password'), 'a password of mine\n', { mode: 0o600 });
  const said = await done(creation('Root', 'root', '--password-file', file('password'), '--expires', '90d'));
  expect(said).toMatch(/^made the client key KAAP\.\S+ of root, which/);
  expect(said).toMatch(/\nIts password is the one in \S+\/password\.\n$/);
  const publicKey = createPublicKey(openFile('root', 'a password of mine'));
  expect(publicKey.equals(kept(idIn('root')))).toBe(true);
});

it('they are listed, for programs and for people', async () => {
  const expected = [
    ['first', 'Billing', 5 * 365],
    ['root', 'root', 90],
  ] as const;
  const listed = await list();
  expect(listed).toEqual(
    expected.map(([name, principal]) => ({
      id: idIn(name),
      principal,
      createdAt: TIME,
      expiresAt: TIME,
      expired: false,
    })),
  );
  for (const [index, [, , days]] of expected.entries()) {
    const { createdAt, expiresAt } = listed[index];
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(days * DAY_MS);
  }
  expect(await done(['client-keys', 'list'])).toMatch(
    new RegExp(
      `^CLIENT KEY +PRINCIPAL +CREATED +EXPIRES\n${idIn('first')}  Billing  +2\\S+  2\\S+\n${idIn('root')}  root .*\n$`,
    ),
  );
});

it('principals are shown with them', async () => {
  const principals = JSON.parse(await done(['principals', 'list', '--json']));
  expect(principals).toMatchObject([
    { name: 'Billing', clientKeys: [{ id: idIn('first'), createdAt: TIME, expiresAt: TIME }] },
    { name: 'root', clientKeys: [{ id: idIn('root') }] },
  ]);
  expect(await done(['principals', 'list'])).toMatch(/\nBilling +- +1 +- +- +2/);
  expect(await done(['principals', 'show', 'billing'])).toContain(`client keys  ${idIn('first')} (until 2`);
  expect(await refused(['principals', 'delete', 'billing'])).toContain(
    `--yes deletes Billing, with its client key ${idIn('first')}, at once and for good`,
  );
});

describe('is refused, and nothing has changed:', () => {
  let before: unknown;
  beforeAll(() => {
    before = [rows(), readFileSync(file('first'))];
  });

  it.each<[string, () => string[], RegExp]>([
    [
      'a file that exists',
      () => creation('billing', 'first'),
      /first exists already: .* another with --out$/,
    ],
    [
      'a file that cannot be',
      () => creation('billing', 'no/x'),
      /^the client key cannot be written to .*ENOENT/,
    ],
    [
      'a principal that is none',
      () => creation('nobody', 'x'),
      /^there is no principal nobody: p11kms principals/,
    ],
    [
      'to delete without --yes',
      () => ['client-keys', 'delete', idIn('first')],
      /^nothing was deleted\. .*\(Billing\)/,
    ],
    [
      'to delete what is none',
      () => ['client-keys', 'delete', 'KAAP.x', '--yes'],
      /^there is no client key KAAP\.x: /,
    ],
  ])('%s', async (_what, args, message) => {
    expect(await refused(args())).toMatch(message);
    expect(existsSync(file('x'))).toBe(false);
  });

  it('a client key that the store does not take, of which no file stays either', async () => {
    const refusal = "begin select raise(abort, 'the store is full'); end";
    withStore(site, (database) =>
      database.exec(`create trigger full before insert on client_keys ${refusal}`),
    );
    try {
      expect(await refused(creation('billing', 'x'))).toContain('the store is full');
    } finally {
      withStore(site, (database) => database.exec('drop trigger full'));
    }
    expect(existsSync(file('x'))).toBe(false);
  });

  afterAll(() => expect([rows(), readFileSync(file('first'))]).toEqual(before));
});

it('one that has expired is listed as such, and with its principal no more', async () => {
  const expire = 'update client_keys set expires_at = 1000 where id = ?';
  withStore(site, (database) => database.prepare(expire).run(idIn('root')));
  expect(await list()).toMatchObject([
    { expired: false },
    { id: idIn('root'), expiresAt: '1970-01-01T00:00:01.000Z', expired: true },
  ]);
  expect(await done(['client-keys', 'list'])).toMatch(/ 1970-01-01T00:00:01Z \(expired\)\n$/);
  expect(await done(['principals', 'show', 'root'])).toMatch(/\n +client keys +-\n/);
});

it('one is deleted by its id', async () => {
  expect(await done(['client-keys', 'delete', idIn('root'), '--yes'])).toBe(
    `deleted ${idIn('root')} of root\n`,
  );
  expect(rows()).toMatchObject([{ id: idIn('first') }]);
});

it('those of a principal that is deleted go with it', async () => {
  const said = await done(['principals', 'delete', 'Billing', '--yes']);
  expect(said).toContain(`deleted Billing, with its client key ${idIn('first')}\n`);
  expect(await list()).toEqual([]);
});

const filesIn = (path: string): Buffer[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));

it('every change is in the audit record, with whose client key it was', () => {
  const records = filesIn(join(site.dataDir, 'audit'))
    .flatMap((bytes) => bytes.toString().split('\n'))
    .filter((line) => line.includes('ClientKey"'))
    .map((line) => JSON.parse(line));
  const details = (name: string, principal: string) => ({ clientKey: idIn(name), principal, expires: TIME });
  const common = { protocol: 'cli', principal: expect.stringMatching(/^os-user\/.+/) };
  expect(records).toEqual(
    expect.arrayContaining(
      [
        { operation: 'CreateClientKey', outcome: 'ok', details: details('first', 'Billing') },
        { operation: 'CreateClientKey', outcome: 'ok', details: details('root', 'root') },
        { operation: 'DeleteClientKey', outcome: 'ok', details: details('root', 'root') },
      ].map((record) => expect.objectContaining({ ...common, ...record })),
    ),
  );
  // The file that could not be written, and the store that was full.
  expect(records.filter(({ outcome }) => outcome === 'failed')).toHaveLength(2);
  expect(records).toHaveLength(5);
});

it('neither password nor private half is in what was printed, or in the data directory', async () => {
  await server.terminate();
  const everything = [Buffer.from([...printed, server.output()].join('')), ...filesIn(site.dataDir)];
  const text = Buffer.concat(everything).toString('latin1');
  expect(text).toContain(idIn('first'));
  expect(secrets).toHaveLength(8);
  for (const secret of secrets) expect(traces(secret).filter((trace) => text.includes(trace))).toEqual([]);
});
