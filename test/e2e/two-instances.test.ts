import { setTimeout as sleep } from 'node:timers/promises';
import * as kms from '@aws-sdk/client-kms';
import { createKey } from '../support/keys';
import { eventually } from '../support/server';
import { tokenObjects } from '../support/site';
import {
  createKeys,
  decrypt,
  encrypt,
  NEXT_LOOK_MS,
  type Pair,
  query,
  rotationsOf,
  startPair,
  timesLogged,
  versionOf,
} from '../support/two-instances';

/** What one service changes applies in the others 2 s later at most, and then the poll needs a moment. */
const PROMISE_MS = 2_500;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
});

const clients = () => [pair.first.client, pair.second.client];

describe('a rotation that is due', () => {
  it.each([1, 10])('is done once, with %i at the same time', async (count) => {
    const { site, first, second } = pair;
    const keys = await createKeys(pair, count);
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
    expect(keys.map((key) => timesLogged(pair, 'key rotated', key))).toEqual(Array(count).fill(1));
    for (const ciphertext of ciphertexts) expect(await decrypt(first.client, ciphertext)).toBe('plaintext');
    for (const key of keys) expect(versionOf(await encrypt(second.client, key))).toBe(2);
  });
});

it('rotations on demand through both at once make a version each, and nothing is lost meanwhile', async () => {
  const { site, first, second } = pair;
  const KeyId = await createKey(first.client);
  const ciphertexts: Uint8Array[] = [];
  let rotating = true;
  const encrypting = async (mine: kms.KMSClient, others: kms.KMSClient) => {
    do {
      const ciphertext = await encrypt(mine, KeyId);
      ciphertexts.push(ciphertext);
      expect(await decrypt(others, ciphertext)).toBe('plaintext');
    } while (rotating);
  };
  const callers = [encrypting(first.client, second.client), encrypting(second.client, first.client)];
  const rotate = (client: kms.KMSClient) => client.send(new kms.RotateKeyOnDemandCommand({ KeyId }));
  await Promise.all([...clients(), ...clients(), ...clients()].map(rotate));
  rotating = false;
  await Promise.all(callers);

  const rows = await query(site, 'select number from key_versions where key_id = $1 order by 1', [KeyId]);
  expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const client of clients()) {
    await applies(async () => [(await rotationsOf(client, KeyId)).length], [6]);
    expect(await rotationsOf(client, KeyId)).toEqual(Array(6).fill('ON_DEMAND'));
    expect(versionOf(await encrypt(client, KeyId))).toBe(7);
    for (const ciphertext of ciphertexts) expect(await decrypt(client, ciphertext)).toBe('plaintext');
  }
});

it('keys made through both at once work through both, with both of their objects', async () => {
  const before = tokenObjects(pair.site).length;
  const keys = await createKeys(pair, 40);
  expect(tokenObjects(pair.site)).toHaveLength(before + 80);
  const works = async (client: kms.KMSClient, KeyId: string) => {
    expect(await decrypt(client, await encrypt(client, KeyId))).toBe('plaintext');
    const input = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const dataKeyPair = await client.send(new kms.GenerateDataKeyPairWithoutPlaintextCommand(input));
    expect(dataKeyPair.PrivateKeyCiphertextBlob).toBeDefined();
  };
  for (const client of clients()) await Promise.all(keys.map((key) => works(client, key)));
});

/** Waits until what one service is asked is what another has changed. */
async function applies<T>(ask: () => Promise<T>, wanted: T): Promise<void> {
  let seen: T | undefined;
  const isSo = async () => {
    seen = await ask();
    return JSON.stringify(seen) === JSON.stringify(wanted) || undefined;
  };
  const complaint = () => `${JSON.stringify(seen)} after ${PROMISE_MS} ms, not ${JSON.stringify(wanted)}`;
  await eventually(isSo, PROMISE_MS, complaint);
}

interface Subject {
  readonly KeyId: string;
  readonly AliasName: string;
}

type Command = (subject: Subject) => object;
type Ask = (client: kms.KMSClient, subject: Subject) => Promise<unknown>;

const encryptedUnder: Ask = async (client, { KeyId }) => {
  try {
    return versionOf(await encrypt(client, KeyId));
  } catch (error) {
    return (error as Error).name;
  }
};

const keyMetadata: Ask = async (client, { KeyId }) => {
  const { KeyMetadata } = await client.send(new kms.DescribeKeyCommand({ KeyId }));
  return [KeyMetadata?.KeyState, KeyMetadata?.Description];
};

const aliased: Ask = async (client, { AliasName, KeyId }) => {
  try {
    const { KeyMetadata } = await client.send(new kms.DescribeKeyCommand({ KeyId: AliasName }));
    return KeyMetadata?.KeyId === KeyId;
  } catch (error) {
    return (error as Error).name;
  }
};

const rotationEnabled: Ask = async (client, { KeyId }) =>
  (await client.send(new kms.GetKeyRotationStatusCommand({ KeyId }))).KeyRotationEnabled;

const disable: Command = ({ KeyId }) => new kms.DisableKeyCommand({ KeyId });
const enable: Command = ({ KeyId }) => new kms.EnableKeyCommand({ KeyId });
const describeAs: Command = ({ KeyId }) => new kms.UpdateKeyDescriptionCommand({ KeyId, Description: 'new' });
const schedule: Command = ({ KeyId }) => new kms.ScheduleKeyDeletionCommand({ KeyId });
const cancel: Command = ({ KeyId }) => new kms.CancelKeyDeletionCommand({ KeyId });
const rotate: Command = ({ KeyId }) => new kms.RotateKeyOnDemandCommand({ KeyId });
const enableRotation: Command = ({ KeyId }) => new kms.EnableKeyRotationCommand({ KeyId });
const disableRotation: Command = ({ KeyId }) => new kms.DisableKeyRotationCommand({ KeyId });
const name: Command = ({ KeyId, AliasName }) => new kms.CreateAliasCommand({ AliasName, TargetKeyId: KeyId });
const nameOther: Command = ({ AliasName }) =>
  new kms.CreateAliasCommand({ AliasName, TargetKeyId: otherKey });
const rename: Command = ({ KeyId, AliasName }) =>
  new kms.UpdateAliasCommand({ AliasName, TargetKeyId: KeyId });
const unname: Command = ({ AliasName }) => new kms.DeleteAliasCommand({ AliasName });

/** What is changed, what has to be done before, and what the other service says before and after. */
const CHANGES: [string, Command, Command[], Ask, unknown, unknown][] = [
  ['DisableKey', disable, [], encryptedUnder, 1, 'DisabledException'],
  ['EnableKey', enable, [disable], encryptedUnder, 'DisabledException', 1],
  ['UpdateKeyDescription', describeAs, [], keyMetadata, ['Enabled', ''], ['Enabled', 'new']],
  ['ScheduleKeyDeletion', schedule, [], encryptedUnder, 1, 'KMSInvalidStateException'],
  ['CancelKeyDeletion', cancel, [schedule], keyMetadata, ['PendingDeletion', ''], ['Disabled', '']],
  ['RotateKeyOnDemand', rotate, [], encryptedUnder, 1, 2],
  ['EnableKeyRotation', enableRotation, [], rotationEnabled, false, true],
  ['DisableKeyRotation', disableRotation, [enableRotation], rotationEnabled, true, false],
  ['CreateAlias', name, [], aliased, 'NotFoundException', true],
  ['UpdateAlias', rename, [nameOther], aliased, false, true],
  ['DeleteAlias', unname, [name], aliased, true, 'NotFoundException'],
];

let otherKey: string;

describe('what one changes applies in the other', () => {
  beforeAll(async () => {
    otherKey = await createKey(pair.first.client);
  });

  it.each(CHANGES)('%s', async (operation, change, preparations, ask, before, after) => {
    const bothWays = clients().map(async (mine, index) => {
      const others = clients()[1 - index] ?? mine;
      const KeyId = await createKey(mine);
      const subject = { KeyId, AliasName: `alias/${operation}-${index}` };
      const send = (command: Command) => mine.send(command(subject) as kms.EncryptCommand);
      for (const command of preparations) await send(command);
      // From here on the other remembers it as it was.
      expect(await ask(others, subject)).toEqual(before);
      await send(change);
      await applies(() => ask(others, subject), after);
    });
    await Promise.all(bothWays);
  });
});
