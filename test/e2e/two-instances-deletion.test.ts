import { setTimeout as sleep } from 'node:timers/promises';
import * as kms from '@aws-sdk/client-kms';
import { Client } from 'pg';
import { createKey } from '../support/keys';
import { exceptionOf } from '../support/kms-client';
import { tokenObjects } from '../support/site';
import {
  createKeys,
  decrypt,
  encrypt,
  eventuallyFound,
  type Instance,
  NEXT_LOOK_MS,
  type Pair,
  query,
  startPair,
  timesLogged,
} from '../support/two-instances';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
});

async function scheduleDeletions({ client }: Instance, keys: readonly string[]): Promise<void> {
  for (const KeyId of keys) await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId }));
}

/** Lets the windows of keys pass that are pending deletion. */
const windowsPass = (keys: readonly string[]) =>
  query(pair.site, 'update keys set deletion_at = 1, deletion_heartbeat = 0 where id = any($1)', [keys]);

/** Waits until no key is in this state. */
const none = (keys: readonly string[], state: string) =>
  eventuallyFound(pair.site, `select where not exists (select from keys where id = any($1) and state = $2)`, [
    keys,
    state,
  ]);

/** Nothing is in flight any more with these keys: waits until those of them that are being destroyed are gone. */
async function destroyed(keys: readonly string[]): Promise<void> {
  await query(pair.site, `update keys set deletion_heartbeat = 0 where id = any($1) and state = 'deleting'`, [
    keys,
  ]);
  await none(keys, 'deleting');
}

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

/** Every key is either as cancelled, and works, or as destroyed. */
async function expectOneWinner(keys: readonly string[], cancelled: readonly boolean[]): Promise<void> {
  await destroyed(keys);
  const rows = await query(pair.site, 'select id, state from keys where id = any($1)', [keys]);
  const states = keys.map((key) => rows.find(({ id }) => id === key)?.state);
  expect(states).toEqual(cancelled.map((was) => (was ? 'disabled' : 'deleted')));
  const logged = keys.map((key) => timesLogged(pair, 'key destroyed', key));
  expect(logged).toEqual(cancelled.map((was) => (was ? 0 : 1)));
  for (const KeyId of keys.filter((_, index) => cancelled[index])) {
    await pair.first.client.send(new kms.EnableKeyCommand({ KeyId }));
    expect(await decrypt(pair.first.client, await encrypt(pair.first.client, KeyId))).toBe('plaintext');
  }
}

describe('a deletion that is due', () => {
  it('is done once, and touches no other key', async () => {
    const { site, first, second } = pair;
    const other = await createKey(first.client);
    const before = tokenObjects(site).length;
    const keys = await createKeys(pair, 5);
    const ciphertexts = await Promise.all(keys.map((key) => encrypt(first.client, key)));
    await first.client.send(new kms.RotateKeyOnDemandCommand({ KeyId: keys[0] }));
    await scheduleDeletions(second, keys);
    await windowsPass(keys);

    await none(keys, 'pending_deletion');
    expect(tokenObjects(site)).toHaveLength(before + 12);
    await destroyed(keys);
    expect(tokenObjects(site)).toHaveLength(before);
    await sleep(NEXT_LOOK_MS);

    for (const message of ['destroying a key whose deletion is due', 'key destroyed'])
      expect(keys.map((key) => timesLogged(pair, message, key))).toEqual(Array(5).fill(1));
    for (const { client } of [first, second]) {
      const refusals = (commands: kms.DecryptCommand[] | kms.DescribeKeyCommand[]) =>
        Promise.all(commands.map((command) => exceptionOf(client.send(command as kms.DecryptCommand))));
      const described = await refusals(keys.map((KeyId) => new kms.DescribeKeyCommand({ KeyId })));
      expect(described).toEqual(Array(5).fill('NotFoundException'));
      const opened = await refusals(
        ciphertexts.map((blob) => new kms.DecryptCommand({ CiphertextBlob: blob })),
      );
      expect(opened).toEqual(Array(5).fill('AccessDeniedException'));
      expect(await decrypt(first.client, await encrypt(client, other))).toBe('plaintext');
    }
  });

  it('is either cancelled or done, whenever somebody cancels it', async () => {
    const keys = await createKeys(pair, 24);
    await scheduleDeletions(pair.first, keys);
    // A service that remembers a key as enabled would say that there is nothing to cancel.
    await sleep(1_000);
    await windowsPass(keys);
    const attempts = keys.map(async (key, index) => {
      await sleep((index * NEXT_LOOK_MS) / keys.length);
      return cancel(index % 2 ? pair.first : pair.second, key);
    });
    await expectOneWinner(keys, await Promise.all(attempts));
  });

  it.each([
    ['cancelled', true],
    ['done', false],
  ])('is %s where both wait for the key’s row and that came first', async (_what, cancelledFirst) => {
    const { site, second } = pair;
    const key = await createKey(second.client);
    await scheduleDeletions(second, [key]);
    const holder = new Client({ connectionString: site.databaseUrl });
    await holder.connect();
    await holder.query('begin');
    // Both see a key that is due, and neither can change it.
    await windowsPass([key]);
    await holder.query('select from keys where id = $1 for update', [key]);
    const waiting = (statement: string) =>
      eventuallyFound(
        site,
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like $1`,
        [statement],
      );
    const cancelling = async () => {
      const attempt = cancel(second, key);
      await waiting('update "keys"%"deletion_window_days"%');
      return { attempt };
    };
    const early = cancelledFirst ? await cancelling() : undefined;
    await waiting('update "keys"%"deletion_heartbeat" <=%');
    const { attempt } = early ?? (await cancelling());
    await holder.query('commit');
    await holder.end();
    expect(await attempt).toBe(cancelledFirst);
    await expectOneWinner([key], [await attempt]);
  });
});
