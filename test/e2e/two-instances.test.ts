import { setTimeout as sleep } from 'node:timers/promises';
import * as kms from '@aws-sdk/client-kms';
import { Client } from 'pg';
import { exceptionOf } from '../support/kms-client';
import { eventually } from '../support/server';
import { createPostgresSite, type PostgresSite, tokenObjects } from '../support/site';
import {
  createKey,
  decrypt,
  encrypt,
  eventuallyFound,
  type Instance,
  query,
  rotationsOf,
  startInstance,
  versionOf,
} from '../support/two-instances';

/** What one service changes applies in the others so much later at most, and then the poll needs a moment. */
const PROMISE_MS = 2_500;
/** After so long every service has looked again for what is due. */
const NEXT_LOOK_MS = 2_300;

let site: PostgresSite;
let first: Instance;
let second: Instance;

beforeAll(async () => {
  site = await createPostgresSite();
  [first, second] = await Promise.all([startInstance(site), startInstance(site)]);
});

const clients = () => [first.client, second.client];

/** How often both services together have logged this of a key. */
const logged = (wanted: string, keyId: string): number =>
  [first, second]
    .flatMap(({ server }) => server.log())
    .filter((line) => line.message === wanted && line.keyId === keyId).length;

/** Waits as long as a change by one service may take to apply in the other. */
const applies = (what: string, ask: () => Promise<boolean>): Promise<true> =>
  eventually(
    async () => (await ask()) || undefined,
    PROMISE_MS,
    () => `does not apply: ${what}`,
  );

const createKeys = (count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => createKey((index % 2 ? first : second).client)));

describe('a rotation that is due', () => {
  it.each([1, 10])('is done once, with %i at the same time', async (count) => {
    const keys = await createKeys(count);
    for (const KeyId of keys) await first.client.send(new kms.EnableKeyRotationCommand({ KeyId }));
    const ciphertexts = await Promise.all(keys.map((key) => encrypt(second.client, key)));
    const before = tokenObjects(site).length;
    await query(site, 'update keys set next_rotation_at = 1 where id = any($1)', [keys]);

    const rotations = () =>
      Promise.all(clients().flatMap((client) => keys.map((key) => rotationsOf(client, key))));
    const complete = async () => (await rotations()).every((made) => made.length > 0) || undefined;
    await eventually(complete, 15_000, () => 'keys are left that are due');
    await sleep(NEXT_LOOK_MS);

    expect(await rotations()).toEqual(Array(2 * count).fill(['AUTOMATIC']));
    expect(tokenObjects(site)).toHaveLength(before + 2 * count);
    expect(keys.map((key) => logged('key rotated', key))).toEqual(Array(count).fill(1));
    for (const ciphertext of ciphertexts) expect(await decrypt(first.client, ciphertext)).toBe('plaintext');
    for (const key of keys) expect(versionOf(await encrypt(second.client, key))).toBe(2);
  });
});

/** Lets the windows of keys pass that are pending deletion. */
const windowsPass = (keys: readonly string[]) =>
  query(site, 'update keys set deletion_at = 1, deletion_heartbeat = 0 where id = any($1)', [keys]);

/** Nothing is in flight any more with these keys: waits until those of them that are being destroyed are gone. */
async function destroyed(keys: readonly string[]): Promise<void> {
  const drained = `update keys set deletion_at = 1 where id = any($1) and state = 'deleting'`;
  await query(site, drained, [keys]);
  await eventuallyFound(
    site,
    `select where not exists (select from keys where id = any($1) and state = 'deleting')`,
    [keys],
  );
}

describe('a deletion that is due', () => {
  it('is done once, and touches no other key', async () => {
    const other = await createKey(first.client);
    const before = tokenObjects(site).length;
    const keys = await createKeys(5);
    const ciphertexts = await Promise.all(keys.map((key) => encrypt(first.client, key)));
    await first.client.send(new kms.RotateKeyOnDemandCommand({ KeyId: keys[0] }));
    for (const KeyId of keys) await second.client.send(new kms.ScheduleKeyDeletionCommand({ KeyId }));
    await windowsPass(keys);

    const begun = `select where not exists (select from keys where id = any($1) and state <> 'deleting')`;
    await eventuallyFound(site, begun, [keys]);
    expect(tokenObjects(site)).toHaveLength(before + 12);
    await destroyed(keys);
    expect(tokenObjects(site)).toHaveLength(before);
    await sleep(NEXT_LOOK_MS);

    for (const message of ['destroying a key whose deletion is due', 'key destroyed'])
      expect(keys.map((key) => logged(message, key))).toEqual(Array(5).fill(1));
    for (const client of clients()) {
      for (const KeyId of keys)
        expect(await exceptionOf(client.send(new kms.DescribeKeyCommand({ KeyId })))).toBe(
          'NotFoundException',
        );
      for (const CiphertextBlob of ciphertexts)
        expect(await exceptionOf(client.send(new kms.DecryptCommand({ CiphertextBlob })))).toBe(
          'AccessDeniedException',
        );
      expect(await decrypt(first.client, await encrypt(client, other))).toBe('plaintext');
    }
  });

  /** Cancels a deletion: false where it has begun. */
  async function cancel({ client }: Instance, KeyId: string): Promise<boolean> {
    try {
      await client.send(new kms.CancelKeyDeletionCommand({ KeyId }));
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(kms.KMSInvalidStateException);
      return false;
    }
  }

  async function expectOneWinner(keys: readonly string[], cancelled: readonly boolean[]): Promise<void> {
    await destroyed(keys);
    for (const [index, KeyId] of keys.entries()) {
      const [row] = await query(site, 'select state from keys where id = $1', [KeyId]);
      expect({ KeyId, ...row }).toEqual({ KeyId, state: cancelled[index] ? 'disabled' : 'deleted' });
      expect(logged('key destroyed', KeyId)).toBe(cancelled[index] ? 0 : 1);
      if (!cancelled[index]) continue;
      await first.client.send(new kms.EnableKeyCommand({ KeyId }));
      expect(await decrypt(first.client, await encrypt(first.client, KeyId))).toBe('plaintext');
    }
  }

  it('is either cancelled or done, whenever somebody cancels it', async () => {
    const keys = await createKeys(40);
    for (const KeyId of keys) await first.client.send(new kms.ScheduleKeyDeletionCommand({ KeyId }));
    // Who remembers a key as enabled says that there is nothing to cancel.
    await sleep(1_000);
    await windowsPass(keys);
    const attempts = keys.map(async (key, index) => {
      await sleep((index * NEXT_LOOK_MS) / keys.length);
      return cancel(index % 2 ? first : second, key);
    });
    await expectOneWinner(keys, await Promise.all(attempts));
  });

  it.each(['the cancellation', 'the destruction'])(
    'is either cancelled or done, with both waiting for the row, %s first',
    async (earlier) => {
      const key = await createKey(second.client);
      await second.client.send(new kms.ScheduleKeyDeletionCommand({ KeyId: key }));
      await windowsPass([key]);
      const waiting = (what: string) =>
        eventuallyFound(
          site,
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like $1`,
          [what],
        );
      const cancelling = async () => {
        const attempt = cancel(second, key);
        await waiting('update "keys"%"deletion_window_days"%');
        return { attempt };
      };
      const holder = new Client({ connectionString: site.databaseUrl });
      await holder.connect();
      await holder.query('begin');
      await holder.query('select from keys where id = $1 for update', [key]);
      const early = earlier === 'the cancellation' ? await cancelling() : undefined;
      await waiting('update "keys"%"deletion_heartbeat" <=%');
      const { attempt } = early ?? (await cancelling());
      await holder.query('commit');
      await holder.end();
      expect(await attempt).toBe(earlier === 'the cancellation');
      await expectOneWinner([key], [await attempt]);
    },
  );
});

it('rotations on demand through both at once make a version each, and nothing is lost meanwhile', async () => {
  const KeyId = await createKey(first.client);
  const ciphertexts: Uint8Array[] = [];
  let rotating = true;
  const callers = [first, second].map(async (mine, index) => {
    const others = index === 0 ? second : first;
    do {
      const ciphertext = await encrypt(mine.client, KeyId);
      ciphertexts.push(ciphertext);
      expect(await decrypt(others.client, ciphertext)).toBe('plaintext');
    } while (rotating);
  });
  const rotations = [first, second, first, second, first, second].map(({ client }) =>
    client.send(new kms.RotateKeyOnDemandCommand({ KeyId })),
  );
  await Promise.all(rotations);
  rotating = false;
  await Promise.all(callers);

  const numbers = await query(site, 'select number from key_versions where key_id = $1 order by 1', [KeyId]);
  expect(numbers.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const client of clients()) {
    await applies('RotateKeyOnDemand', async () => (await rotationsOf(client, KeyId)).length === 6);
    expect(await rotationsOf(client, KeyId)).toEqual(Array(6).fill('ON_DEMAND'));
    for (const ciphertext of ciphertexts) expect(await decrypt(client, ciphertext)).toBe('plaintext');
    await applies('RotateKeyOnDemand', async () => versionOf(await encrypt(client, KeyId)) === 7);
  }
});

it('keys made through both at once work through both, with both of their objects', async () => {
  const before = tokenObjects(site).length;
  const keys = await createKeys(40);
  expect(tokenObjects(site)).toHaveLength(before + 80);
  for (const client of clients()) {
    await Promise.all(
      keys.map(async (KeyId) => {
        expect(await decrypt(client, await encrypt(client, KeyId))).toBe('plaintext');
        const input = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
        const pair = await client.send(new kms.GenerateDataKeyPairWithoutPlaintextCommand(input));
        expect(pair.PrivateKeyCiphertextBlob?.length).toBeGreaterThan(100);
      }),
    );
  }
});
