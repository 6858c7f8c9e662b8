import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  type KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { diagnosis, doctor } from '../support/doctor';
import { get, kmsClient, refusalOf } from '../support/kms-client';
import { createShim } from '../support/pkcs11-shim';
import { eventually, p11kms, type Server, startServer } from '../support/server';
import {
  createPostgresSite,
  neighbour,
  type PostgresSite,
  SERVICE_OBJECTS,
  tokenObjects,
} from '../support/site';

/** What one service changes applies in the others so much later at most, and then the poll needs a moment. */
const PROMISE_MS = 2_000;
const MARGIN_MS = 500;
const Plaintext = Buffer.from('plaintext');

const createKey = async (client: KMSClient): Promise<string> =>
  String((await client.send(new CreateKeyCommand({ Description: 'ключ' }))).KeyMetadata?.KeyId);

const encrypt = async (client: KMSClient, KeyId: string) =>
  (await client.send(new EncryptCommand({ KeyId, Plaintext }))).CiphertextBlob;

const decrypt = async (client: KMSClient, CiphertextBlob: Uint8Array | undefined): Promise<string> =>
  Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext ?? []).toString();

describe('a service with its store on PostgreSQL', () => {
  let site: PostgresSite;
  let server: Server;
  let client: KMSClient;

  beforeAll(async () => {
    site = await createPostgresSite();
    server = await startServer(site, { P11KMS_LOG_LEVEL: 'debug' });
    client = kmsClient(server);
  });

  it('finds everything again after a restart', async () => {
    const keyId = await createKey(client);
    await client.send(new CreateAliasCommand({ AliasName: 'alias/app', TargetKeyId: keyId }));
    const ciphertext = await encrypt(client, 'alias/app');
    await server.terminate();

    server = await startServer(site, { P11KMS_LOG_LEVEL: 'debug' });
    client = kmsClient(server);
    expect(await decrypt(client, ciphertext)).toBe('plaintext');
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    expect(KeyMetadata).toMatchObject({ KeyId: keyId, Description: 'ключ', Enabled: true });
  });

  it('leaves no file of SQLite behind in its data directory', () => {
    expect(() => readFileSync(`${site.dataDir}/p11kms.sqlite`)).toThrow('ENOENT');
  });

  it('does not hand its database to the token workers', () => {
    for (const pid of server.workers()) {
      expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(site.server.password);
    }
    expect(server.workers().length).toBeGreaterThan(0);
  });

  it('says so while PostgreSQL is away, and works again when that is back, without a restart', async () => {
    const keyId = await createKey(client);
    await site.server.stop();
    try {
      const { status, json } = await get(server, '/readyz');
      expect({ status, parts: json().parts }).toEqual({
        status: 503,
        parts: { token: 'ok', store: 'unavailable', audit: 'ok' },
      });
      for (const call of [client.send(new ListKeysCommand({})), createKey(client)]) {
        expect(await refusalOf(call)).toMatchObject({
          name: 'DependencyTimeoutException',
          status: 500,
          message: 'The store does not answer. Try again.',
        });
      }
    } finally {
      await site.server.start();
    }
    const ready = async () => (await get(server, '/readyz')).status === 200 || undefined;
    await eventually(ready, 10_000, () => `not ready again:\n${server.output()}`);
    expect(await decrypt(client, await encrypt(client, keyId))).toBe('plaintext');
    await createKey(client);
  });

  it('goes on with a restored dump', async () => {
    const keyId = await createKey(client);
    const ciphertext = await encrypt(client, keyId);
    const { server: postgres, databaseUrl } = site;
    const dump = join(site.token.directory, 'p11kms.dump');
    await postgres.run('pg_dump', '--format=custom', `--file=${dump}`, databaseUrl);
    const P11KMS_DATABASE_URL = await postgres.createDatabase();
    await postgres.run('pg_restore', '--no-owner', `--dbname=${P11KMS_DATABASE_URL}`, dump);
    const restored = await startServer(neighbour(site), { P11KMS_DATABASE_URL });
    expect(await decrypt(kmsClient(restored), ciphertext)).toBe('plaintext');
    await restored.terminate();
  });

  it('is what doctor looks at, too', async () => {
    const { code, store } = await diagnosis(site);
    const { port } = site.server;
    const database = site.databaseUrl.split('/').pop();
    expect({ code, store }).toEqual({
      code: 0,
      store: {
        database: `postgres://p11kms@127.0.0.1:${port}/${database}`,
        id: expect.stringMatching(/^[0-9a-f]{12}$/),
      },
    });
    const { stdout } = await doctor(site);
    expect(stdout).toContain(`postgres://p11kms@127.0.0.1:${port}/${database}`);
    expect(stdout).not.toContain(site.server.password);
  });

  it('prints its password nowhere', async () => {
    await server.terminate();
    // It had something to tell of the database.
    expect(server.output()).toContain('ECONNREFUSED');
    expect(server.output()).not.toContain(site.server.password);
  });
});

describe('a start on PostgreSQL is refused', () => {
  let site: PostgresSite;

  beforeAll(async () => {
    site = await createPostgresSite();
  });

  const refusal = async (change: (url: URL) => void): Promise<string> => {
    const url = new URL(site.databaseUrl);
    change(url);
    const { code, stdout, stderr } = await p11kms(['serve'], site, { P11KMS_DATABASE_URL: url.href });
    expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 1, lines: 1 });
    expect(stdout + stderr).not.toContain(url.password);
    return stderr;
  };

  it('with a wrong password, in words without it', async () => {
    const words = await refusal((url) => {
      url.password = 'not-the-password';
    });
    expect(words).toMatch(
      /^p11kms: the store postgres:\/\/p11kms@127.0.0.1:.* cannot be used: password authentication failed/,
    );
  });

  it('on a server that cannot be reached, in words without the password', async () => {
    const words = await refusal((url) => {
      url.port = '1';
    });
    expect(words).toMatch(
      /^p11kms: the store postgres:\/\/p11kms@127.0.0.1:1\/.* cannot be used: .*ECONNREFUSED/,
    );
  });

  it('by doctor too, and told as JSON', async () => {
    const url = site.databaseUrl.replace(site.server.password, 'not-the-password');
    const found = await diagnosis(site, [], { P11KMS_DATABASE_URL: url });
    expect(found).toMatchObject({
      code: 1,
      canRun: false,
      trouble: expect.stringContaining('password authentication'),
    });
    expect(JSON.stringify(found)).not.toContain('not-the-password');
  });
});

describe('two services on one PostgreSQL and one token', () => {
  let site: PostgresSite;
  let one: Server;
  let other: Server;
  let first: KMSClient;
  let second: KMSClient;

  beforeAll(async () => {
    const made = await createPostgresSite();
    const shim = await createShim(made.token.directory);
    site = { ...made, env: { ...made.env, ...shim.env, P11KMS_PKCS11_MODULE: shim.module } };
    // Without taking turns both would have looked for the service key before one of them has made it.
    shim.set('C_FindObjectsFinal delay=1500 times=2');
    [one, other] = await Promise.all([startServer(site), startServer(neighbour(site))]);
    shim.clear();
    [first, second] = [kmsClient(one), kmsClient(other)];
  });

  /** Waits as long as a change by one may take to apply in the other. */
  const applies = (ask: () => Promise<true | undefined>, what: string): Promise<true> =>
    eventually(ask, PROMISE_MS + MARGIN_MS, () => `not within ${PROMISE_MS} ms: ${what}`);

  const fails = async (call: () => Promise<unknown>, name: string): Promise<true | undefined> => {
    try {
      await call();
      return undefined;
    } catch (error) {
      if ((error as Error).name === name) return true;
      throw error;
    }
  };

  it('start at the same time on an empty database, and make one service key', () => {
    expect(tokenObjects(site)).toHaveLength(SERVICE_OBJECTS);
  });

  it('start at the same time on an empty database, and one makes the root principal, for both', async () => {
    const made = [one, other].filter((server) => server.output().includes('root principal was made'));
    expect(made).toHaveLength(1);
    expect(site.credentialsFiles.filter((file) => existsSync(file))).toHaveLength(1);
    const { stdout } = await p11kms(['principals', 'list', '--json'], site);
    expect(JSON.parse(stdout)).toMatchObject([{ accessKeys: [{ id: one.credentials.accessKeyId }] }]);
    for (const client of [first, second]) {
      await expect(client.send(new ListKeysCommand({}))).resolves.toMatchObject({ Keys: expect.any(Array) });
    }
  });

  it('open what the other has encrypted', async () => {
    const keyId = await createKey(first);
    expect(await decrypt(second, await encrypt(first, keyId))).toBe('plaintext');
    expect(await decrypt(first, await encrypt(second, keyId))).toBe('plaintext');
    const listed = await Promise.all([first, second].map((client) => client.send(new ListKeysCommand({}))));
    expect(listed[0]?.Keys).toEqual(listed[1]?.Keys);
  });

  it('apply what the other changes', async () => {
    const keyId = await createKey(first);
    await encrypt(second, keyId);
    await first.send(new DisableKeyCommand({ KeyId: keyId }));
    await applies(() => fails(() => encrypt(second, keyId), 'DisabledException'), 'DisableKey');
    await second.send(new EnableKeyCommand({ KeyId: keyId }));
    await applies(
      async () => !(await fails(() => encrypt(first, keyId), 'DisabledException')) || undefined,
      'EnableKey',
    );
  });

  it('know each other’s aliases', async () => {
    const keyId = await createKey(first);
    const AliasName = 'alias/shared';
    const use = () => encrypt(second, AliasName);
    expect(await fails(use, 'NotFoundException')).toBe(true);
    await first.send(new CreateAliasCommand({ AliasName, TargetKeyId: keyId }));
    await applies(async () => !(await fails(use, 'NotFoundException')) || undefined, 'CreateAlias');
    await first.send(new DeleteAliasCommand({ AliasName }));
    await applies(() => fails(use, 'NotFoundException'), 'DeleteAlias');
  });

  it('give a name that both want to one of them', async () => {
    const keyId = await createKey(first);
    const command = new CreateAliasCommand({ AliasName: 'alias/contested', TargetKeyId: keyId });
    const attempts = await Promise.allSettled([first.send(command), second.send(command)]);
    const refused = attempts.filter((attempt) => attempt.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toMatchObject({ name: 'AlreadyExistsException' });
  });

  it('go on when the other is killed', async () => {
    await other.kill();
    const keyId = await createKey(first);
    expect(await decrypt(first, await encrypt(first, keyId))).toBe('plaintext');
  });
});
