import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DecryptCommand,
  type KMSClient,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { diagnosis } from '../support/doctor';
import { createKey } from '../support/keys';
import { exceptionOf, kmsClient } from '../support/kms-client';
import {
  assertWithinBound,
  decrypt,
  encrypt,
  inStore,
  rotationsOf,
  siteTime,
  versionOf,
} from '../support/life-cycle';
import { eventually, type Server, startServer } from '../support/server';
import { createShimSite, SERVICE_OBJECTS, tokenObjects } from '../support/site';

const ROUNDS = 5;
const BOUND = 7;
/** Keys that each round dooms: those of one are taken away while those of the one before are destroyed. */
const DOOMED = 3;
/** Housekeeping's first round comes 2 s after the start: the kill comes during it, or a little before or after. */
const killAfterMs = () => 1_900 + Math.random() * 700;

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;

/** What clients were told had happened. */
const told = {
  blobs: [] as { readonly keyId: string; readonly blob: Buffer }[],
  /** How many rotations on demand, by key. */
  rotations: new Map<string, number>(),
  doomed: new Set<string>(),
};

async function start(): Promise<KMSClient> {
  server = await startServer(site, { P11KMS_GCM_CALLS_PER_KEY_VERSION: String(BOUND) });
  return kmsClient(server);
}

/** Does something again and again until the server is gone. */
async function untilGone(act: () => Promise<void>): Promise<void> {
  try {
    for (;;) await act();
  } catch (error) {
    // Anything but the loss of the connection would be a fault.
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode) throw error;
  }
}

async function seal(client: KMSClient, keyId: string): Promise<void> {
  told.blobs.push({ keyId, blob: await encrypt(client, keyId) });
}

async function rotate(client: KMSClient, keyId: string): Promise<void> {
  await client.send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
  told.rotations.set(keyId, (told.rotations.get(keyId) ?? 0) + 1);
}

/** Rotates one key after the other, a few times each, and uses it before and after. */
async function rotating(client: KMSClient): Promise<void> {
  const keyId = await createKey(client);
  for (let count = 0; count < 5; count++) {
    await seal(client, keyId);
    await rotate(client, keyId);
  }
  await seal(client, keyId);
}

async function doom(client: KMSClient): Promise<void> {
  const keyId = await createKey(client);
  await seal(client, keyId);
  await rotate(client, keyId);
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: keyId }));
  told.doomed.add(keyId);
  await siteTime(site).deletionDue(keyId);
}

const drainAll = () =>
  inStore(site, (database) =>
    database.exec(`UPDATE keys SET deletion_heartbeat = 0 WHERE state = 'deleting'`),
  );

const count = (sql: string): number =>
  Number(inStore(site, (database) => database.prepare(`SELECT count(*) FROM ${sql}`).pluck().get()));

beforeAll(async () => {
  site = await createShimSite();
});

it(`killed while keys are rotated, used up and destroyed, ${ROUNDS} times, it comes back every time`, async () => {
  let usedUp: string | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const client = await start();
    usedUp ??= await createKey(client);
    const keyId = usedUp;
    drainAll();
    for (let one = 0; one < DOOMED; one++) await doom(client);
    // What takes longer is more likely to be cut short.
    site.shim.set('C_GenerateKey delay=15', 'C_DestroyObject delay=40');
    const callers = [
      untilGone(() => rotating(client)),
      untilGone(() => rotating(client)),
      untilGone(() => seal(client, keyId)),
    ];
    await sleep(killAfterMs());
    await server.kill();
    await Promise.all(callers);
    site.shim.clear();
    // Its workers may still be at work: a supervisor does not wait for them either.
  }
}, 150_000);

it('every key that was doomed is destroyed in the end, and no other', async () => {
  await start();
  await eventually(
    () => {
      drainAll();
      return count(`keys WHERE state IN ('pending_deletion', 'deleting')`) === 0 || undefined;
    },
    20_000,
    () => server.output(),
  );
  const deleted = inStore(site, (database) =>
    database.prepare(`SELECT id FROM keys WHERE state = 'deleted'`).pluck().all(),
  );
  expect(new Set(deleted)).toEqual(told.doomed);
  expect(told.doomed.size).toBe(ROUNDS * DOOMED);
});

it('every ciphertext that a client was given opens, but those of destroyed keys', async () => {
  const client = kmsClient(server);
  expect(told.blobs.length).toBeGreaterThan(ROUNDS * 20);
  for (const { keyId, blob } of told.blobs) {
    if (!told.doomed.has(keyId)) expect(await decrypt(client, blob)).toBe('data');
    else {
      const opening = client.send(new DecryptCommand({ CiphertextBlob: blob }));
      expect(await exceptionOf(opening)).toBe('AccessDeniedException');
    }
  }
});

it('no version was used for more encryptions than it may', () => {
  const blobs = told.blobs.map(({ blob }) => blob);
  assertWithinBound(blobs, BOUND);
  expect(Math.max(...blobs.map(versionOf))).toBeGreaterThan(ROUNDS);
});

it('every rotation that a client was told of is listed, and at most one that it was not told of', async () => {
  const client = kmsClient(server);
  for (const [keyId, rotations] of told.rotations) {
    if (told.doomed.has(keyId)) continue;
    const listed = (await rotationsOf(client, keyId)).filter(
      ({ RotationType }) => RotationType === 'ON_DEMAND',
    );
    expect(listed.length - rotations).toBeGreaterThanOrEqual(0);
    expect(listed.length - rotations).toBeLessThanOrEqual(1);
  }
});

it('the token has what the store knows, and nothing else', async () => {
  expect(count(`key_versions WHERE state <> 'active'`)).toBe(0);
  // A SoftHSM that is killed while it makes an object leaves an empty file, which is none.
  const objects = tokenObjects(site).filter((file) => statSync(join(site.token.directory, file)).size > 0);
  // Two objects to a version, and the service's own.
  expect(objects).toHaveLength(2 * count('key_versions') + SERVICE_OBJECTS);
  await server.terminate();
  expect(await diagnosis(site)).toMatchObject({ code: 0, canRun: true, unknownObjects: [] });
});
