import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as kms from '@aws-sdk/client-kms';
import { diagnosis } from '../support/doctor';
import { createKey } from '../support/keys';
import { eventually } from '../support/server';
import { SERVICE_OBJECTS, tokenObjects } from '../support/site';
import {
  decrypt,
  encrypt,
  type Instance,
  type Pair,
  query,
  rotationsOf,
  startInstance,
  startPair,
  versionOf,
} from '../support/two-instances';

const BOUND = 7;
const SETTINGS = { P11KMS_GCM_CALLS_PER_KEY_VERSION: String(BOUND) };
const ROUNDS = 3;
const CALLERS = 3;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair(SETTINGS);
});

interface Made {
  readonly keyId: string;
  readonly ciphertext: Uint8Array;
}

/** Encrypts, again where all calls of a version have been taken by others, several times over. */
async function encryptAtLast({ client }: Instance, keyId: string): Promise<Made> {
  for (;;) {
    try {
      return { keyId, ciphertext: await encrypt(client, keyId) };
    } catch (error) {
      if (!(error instanceof kms.LimitExceededException)) throw error;
    }
  }
}

/** How many of the ciphertexts were made under each version of each key. */
function perVersion(made: readonly Made[]): number[] {
  const counts = new Map<string, number>();
  for (const { keyId, ciphertext } of made) {
    const version = `${keyId}/${versionOf(ciphertext)}`;
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return [...counts.values()];
}

it('no version makes more encryptions than its bound, through both at once', async () => {
  const { first, second } = pair;
  const keyId = await createKey(first.client);
  const made: Made[] = [];
  const caller = async (mine: Instance, others: Instance) => {
    for (let count = 0; count < 25; count++) {
      const encrypted = await encryptAtLast(mine, keyId);
      made.push(encrypted);
      // At once: the other may not have heard of the version yet.
      expect(await decrypt(others.client, encrypted.ciphertext)).toBe('plaintext');
    }
  };
  const callers = Array.from({ length: 4 }, () => [caller(first, second), caller(second, first)]);
  await Promise.all(callers.flat());
  const counts = perVersion(made);
  expect(counts.reduce((sum, count) => sum + count)).toBe(200);
  expect(Math.max(...counts)).toBeLessThanOrEqual(BOUND);
  const rotations = await rotationsOf(second.client, keyId);
  expect(new Set(rotations)).toEqual(new Set(['AUTOMATIC']));
  // Nothing is wasted while nobody crashes.
  expect(rotations.length).toBe(Math.ceil(200 / BOUND) - 1);
});

describe(`one of them is killed ${ROUNDS} times while both make, rotate and destroy keys`, () => {
  /** What clients were told of. */
  const keys: string[] = [];
  const doomed: string[] = [];
  const made: Made[] = [];
  let shared: string;
  let stopped = false;

  async function makeAndRotate(instance: Instance): Promise<void> {
    const { client } = instance;
    const use = async (keyId: string) => made.push(await encryptAtLast(instance, keyId));
    const KeyId = await createKey(client);
    keys.push(KeyId);
    await Promise.all([use(KeyId), use(shared), use(shared)]);
    await client.send(new kms.RotateKeyOnDemandCommand({ KeyId }));
    await client.send(new kms.EnableKeyRotationCommand({ KeyId }));
    await Promise.all([use(KeyId), use(shared), use(shared)]);
  }

  async function doom({ client }: Instance): Promise<void> {
    const KeyId = await createKey(client);
    await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId }));
    doomed.push(KeyId);
  }

  /** Calls without a pause until it is stopped. */
  async function caller(instance: Instance): Promise<void> {
    while (!stopped) await Promise.all([makeAndRotate(instance), doom(instance)]);
  }

  async function callerUntilKilled(instance: Instance): Promise<void> {
    try {
      await caller(instance);
    } catch (error) {
      // Anything but the loss of the connection would be a fault.
      if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode) throw error;
    }
  }

  /** The windows of all deletions pass, and what was in flight with keys that are being destroyed is over. */
  const windowsPass = () =>
    query(
      pair.site,
      `update keys set deletion_at = 1, deletion_heartbeat = 0 where state in ('pending_deletion', 'deleting')`,
    );

  /** While the callers work, what they schedule becomes due. */
  async function timePasses(): Promise<void> {
    while (!stopped) {
      await windowsPass();
      const due = 'update keys set next_rotation_at = 1 where next_rotation_at > 1 and random() < 0.3';
      await query(pair.site, due);
      await sleep(100);
    }
  }

  const callers = <T>(call: () => T): T[] => Array.from({ length: CALLERS }, call);

  it('the other goes on without a failure, and one that starts anew joins it', async () => {
    shared = await createKey(pair.first.client);
    for (let round = 0; round < ROUNDS; round++) {
      stopped = false;
      const clock = timePasses();
      const untilKilled = callers(() => callerUntilKilled(pair.second));
      const survivors = callers(() => caller(pair.first));
      await sleep(500 + Math.random() * 1_000);
      await pair.second.server.kill();
      await Promise.all(untilKilled);
      const second = await startInstance(pair.site, SETTINGS);
      stopped = true;
      await Promise.all([...survivors, clock]);
      // Next time the other one is killed.
      pair = { ...pair, first: second, second: pair.first };
    }
  });

  it('what was begun is finished, or undone', async () => {
    const { site } = pair;
    const open = `select id from keys where state in ('pending_deletion', 'deleting') or next_rotation_at = 1`;
    const finished = async () => {
      await windowsPass();
      return (await query(site, open)).length === 0 || undefined;
    };
    await eventually(finished, 30_000, () => 'keys are left that are due');
    const { server } = await startInstance(site, SETTINGS);
    await server.terminate();
    const rows = await query(site, `select state, count(*) from key_versions group by state`);
    expect(rows.map(({ state }) => state)).toEqual(['active']);
    // SoftHSM leaves an empty file where it is killed while it makes an object.
    const whole = tokenObjects(site).filter((file) => statSync(join(site.token.directory, file)).size > 0);
    expect(whole).toHaveLength(SERVICE_OBJECTS + 2 * Number(rows[0]?.count));
    expect((await diagnosis(site)).unknownObjects).toEqual([]);
  });

  it('nothing that a client was told of is lost, and no version has passed its bound', async () => {
    expect(keys.length).toBeGreaterThan(ROUNDS * CALLERS);
    expect(Math.max(...perVersion(made))).toBeLessThanOrEqual(BOUND);
    for (const { client } of [pair.first, pair.second]) {
      for (const { ciphertext } of made) expect(await decrypt(client, ciphertext)).toBe('plaintext');
      for (const key of keys) expect(await decrypt(client, await encrypt(client, key))).toBe('plaintext');
    }
    const states = await query(pair.site, 'select distinct state from keys where id = any($1)', [doomed]);
    expect(states).toEqual([{ state: 'deleted' }]);
  });
});
