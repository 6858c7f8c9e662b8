import { CreateKeyCommand, GenerateDataKeyPairCommand, GenerateRandomCommand } from '@aws-sdk/client-kms';
import { get, kmsClient } from '../support/kms-client';
import { eventually, launchServer, type Server, startServer, workersOf } from '../support/server';
import { createShimSite } from '../support/site';

const WORKERS = 4;
/** What a supervisor gives a service to end. */
const END_LIMIT_MS = 10_000;
const ORPHAN_LIMIT_MS = 2_000;

let site: Awaited<ReturnType<typeof createShimSite>>;

beforeAll(async () => {
  site = await createShimSite();
});

afterEach(() => site.shim.clear());

async function start(): Promise<Server> {
  const server = await startServer(site);
  expect(server.workers()).toHaveLength(WORKERS);
  return server;
}

/** Waits until a worker is in a call that a rule has caught. */
const caught = (name: string) =>
  eventually(
    () => site.shim.log().find((call) => call.function === name && call.rule === 'hang'),
    5000,
    () => `nothing hangs in ${name}`,
  );

const noWorkersOf = (pid: number, limitMs: number) =>
  eventually(
    () => workersOf(pid).length === 0 || undefined,
    limitMs,
    () => `left: ${workersOf(pid)}`,
  );

const random = (server: Server) => kmsClient(server).send(new GenerateRandomCommand({ NumberOfBytes: 16 }));

describe('SIGTERM', () => {
  it('lets what is in flight finish, and takes nothing new', async () => {
    const server = await start();
    const client = kmsClient(server);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    const pair = { KeyId: KeyMetadata?.KeyId, KeyPairSpec: 'RSA_4096' } as const;
    // It is under way for certain, and however long the primes took to find, the rest is short.
    site.shim.clearLog();
    site.shim.set('C_WrapKey delay=1500');
    const answer = client.send(new GenerateDataKeyPairCommand(pair));
    await eventually(
      () => site.shim.count('C_GenerateKeyPair') || undefined,
      30_000,
      () => 'no pair is generated',
    );
    const begun = performance.now();
    const ended = server.terminate();
    await server.logged(({ message }) => message === 'p11kms ends');
    await expect(get(server, '/healthz')).rejects.toThrow('fetch failed');
    expect((await answer).PublicKey?.length).toBeGreaterThan(512);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun).toBeLessThan(END_LIMIT_MS);
    expect(server.workers()).toEqual([]);
  });

  it('ends a service at once that has idle connections only', async () => {
    const server = await start();
    await random(server);
    const begun = performance.now();
    expect(await server.terminate()).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(server.workers()).toEqual([]);
  });

  it('does not wait longer than 10 s for a token that hangs', async () => {
    const server = await start();
    site.shim.set('C_GenerateRandom hang times=1');
    const hung = random(server).catch((error: unknown) => error);
    await caught('C_GenerateRandom');
    const begun = performance.now();
    expect(await server.terminate()).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun).toBeLessThan(END_LIMIT_MS);
    expect(await hung).toHaveProperty('name');
    await noWorkersOf(server.pid, ORPHAN_LIMIT_MS);
  });

  it('ends a service that is still starting', async () => {
    site.shim.clearLog();
    site.shim.set('C_GetSlotList hang');
    const server = launchServer(site);
    await caught('C_GetSlotList');
    expect(await server.terminate()).toEqual({ code: 0, signal: null });
    await noWorkersOf(server.pid, ORPHAN_LIMIT_MS);
  });
});

// SIGHUP: the terminal was closed. With TLS it means something else.
it.each(['SIGINT', 'SIGHUP'] as const)('%s ends the service as SIGTERM does', async (signal) => {
  const server = await start();
  process.kill(server.pid, signal);
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.workers()).toEqual([]);
});

describe('a login that is under way', () => {
  // SoftHSM writes its token's file anew at each login, in place: who is killed meanwhile leaves an empty one.
  const begins = async () => {
    await eventually(
      () => site.shim.count('C_OpenSession') || undefined,
      5000,
      () => 'no session is opened',
    );
    expect(site.shim.count('C_Login')).toBe(0);
  };

  it('is finished when the service is killed while it starts', async () => {
    site.shim.clearLog();
    site.shim.set('C_Login delay=600');
    const server = launchServer(site);
    await begins();
    await server.kill();
    await noWorkersOf(server.pid, ORPHAN_LIMIT_MS);
    expect(site.shim.log().filter((call) => call.function === 'C_Login')).toMatchObject([{ rv: 0 }]);
  });

  it('is finished when the service ends while a worker is replaced', async () => {
    const server = await start();
    site.shim.clearLog();
    site.shim.set('C_Login delay=600');
    const [worker = 0] = server.workers();
    process.kill(worker, 'SIGKILL');
    await begins();
    expect(await server.terminate()).toEqual({ code: 0, signal: null });
    expect(server.workers()).toEqual([]);
    expect(site.shim.log().filter((call) => call.function === 'C_Login')).toMatchObject([{ rv: 0 }]);
  });
});

describe('SIGKILL', () => {
  it('leaves no worker', async () => {
    const server = await start();
    await server.kill();
    await noWorkersOf(server.pid, ORPHAN_LIMIT_MS);
  });

  it('leaves no worker that hangs in native code', async () => {
    const server = await start();
    site.shim.clearLog();
    site.shim.set('C_GenerateRandom hang');
    const hung = [random(server), random(server)].map((call) => call.catch((error: unknown) => error));
    await eventually(
      () => site.shim.count((call) => call.rule === 'hang') === 2 || undefined,
      5000,
      () => 'the workers do not hang',
    );
    await server.kill();
    await noWorkersOf(server.pid, ORPHAN_LIMIT_MS);
    for (const error of await Promise.all(hung)) expect(error).toHaveProperty('name');
  });
});
