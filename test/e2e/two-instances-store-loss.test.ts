import { setTimeout as sleep } from 'node:timers/promises';
import { diagnosis } from '../support/doctor';
import { createKey } from '../support/keys';
import { exceptionOf } from '../support/kms-client';
import { createShim, type Shim } from '../support/pkcs11-shim';
import { eventually } from '../support/server';
import {
  createPostgresSite,
  type PostgresSite,
  SERVICE_OBJECTS,
  type Site,
  tokenObjects,
} from '../support/site';
import {
  decrypt,
  encrypt,
  eventuallyFound,
  type Instance,
  query,
  startInstance,
} from '../support/two-instances';

/** Twice so long the slow token takes over the objects of a key: in the second case a service starts meanwhile. */
const SLOW_MS = 1_000;
const SLOWER_MS = 3_500;
/** A worker that does not see an object is replaced within so long. */
const REPLACED_MS = 15_000;

let site: PostgresSite;
let slow: Shim;
/** It has a role of its own at the database, and a token that can be slow. */
let loser: Instance;
let other: Instance;

beforeAll(async () => {
  site = await createPostgresSite();
  slow = await createShim(site.token.directory);
  other = await startInstance(site);
  loser = await startInstance(await siteOfLoser());
});

async function siteOfLoser(): Promise<Site> {
  await site.server.admin(`create role loser login password 'secret' in role p11kms`);
  await site.server.admin('alter role loser set role = p11kms');
  const url = new URL(site.databaseUrl);
  Object.assign(url, { username: 'loser', password: 'secret' });
  return {
    ...site,
    env: { ...site.env, ...slow.env, P11KMS_PKCS11_MODULE: slow.module, P11KMS_DATABASE_URL: url.href },
  };
}

/** Ends its connections, with the lock that one of them holds. */
const disconnect = () =>
  site.server.admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'loser'`);

/** Has the loser make a key, and comes back while the token makes its objects. */
async function whileMakingKey(delayMs = SLOW_MS): Promise<{ readonly attempt: Promise<string> }> {
  slow.set(`C_GenerateKey delay=${delayMs}`);
  const attempt = createKey(loser.client);
  attempt.catch(() => undefined);
  await eventuallyFound(site, `select from keys where state = 'creating'`);
  // The row is there: now the worker gets its job.
  await sleep(100);
  return { attempt };
}

/** Where two processes have made objects at the same time, a worker may have to be replaced to see them. */
const worksInTheEnd = (instance: Instance, keyId: string) =>
  eventually(
    async () => {
      const ciphertext = await encrypt(instance.client, keyId).catch(() => undefined);
      return ciphertext && (await decrypt(instance.client, ciphertext).catch(() => undefined));
    },
    REPLACED_MS,
    () => `key ${keyId} does not work:\n${instance.server.output()}`,
  );

/** Every row is a version that works, every object has its row. */
async function expectOrder(): Promise<void> {
  slow.clear();
  const states = await query(site, 'select distinct state from key_versions');
  expect(states).toEqual([{ state: 'active' }]);
  const [{ count } = {}] = await query(site, 'select count(*) from key_versions');
  expect(tokenObjects(site)).toHaveLength(SERVICE_OBJECTS + 2 * Number(count));
  expect((await diagnosis(site)).unknownObjects).toEqual([]);
  const keys = await query(site, 'select id from keys');
  for (const { id } of keys) {
    for (const instance of [loser, other])
      expect(await worksInTheEnd(instance, String(id))).toBe('plaintext');
  }
}

async function startThird(): Promise<void> {
  const { server } = await startInstance(site);
  await server.terminate();
}

describe('a service that loses its connections while it makes a key', () => {
  it('finishes it over new ones, while another service makes keys', async () => {
    const { attempt } = await whileMakingKey();
    await disconnect();
    const keys = [await createKey(other.client), await createKey(other.client)];
    keys.push(await attempt);
    for (const instance of [loser, other])
      for (const key of keys) expect(await worksInTheEnd(instance, key)).toBe('plaintext');
    await expectOrder();
  });

  it('says so where it gets no new ones, and the next start cleans up', async () => {
    const before = await createKey(loser.client);
    const ciphertext = await encrypt(loser.client, before);
    const { attempt } = await whileMakingKey();
    await site.server.admin('alter role loser nologin');
    await disconnect();
    const meanwhile = await createKey(other.client);
    expect(await exceptionOf(attempt as Promise<unknown>)).toBe('DependencyTimeoutException');
    expect(await decrypt(other.client, await encrypt(other.client, meanwhile))).toBe('plaintext');
    expect(await query(site, `select from key_versions where state = 'creating'`)).toHaveLength(1);
    await site.server.admin('alter role loser login');

    await startThird();
    expect(await decrypt(loser.client, ciphertext)).toBe('plaintext');
    await expectOrder();
  });

  it('makes none, and leaves nothing, where another start takes it for dead', async () => {
    const { attempt } = await whileMakingKey(SLOWER_MS);
    await disconnect();
    await startThird();
    expect(await exceptionOf(attempt as Promise<unknown>)).toBe('KeyUnavailableException');
    await expectOrder();
  });
});
