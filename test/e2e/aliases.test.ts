import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  EncryptCommand,
  type KMSClient,
  ListAliasesCommand,
  paginateListAliases,
  ScheduleKeyDeletionCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const NO_KEY = '00000000-0000-4000-8000-000000000000';
const MAX_ALIASES = 50;

let client: KMSClient;
let keyId: string;
let otherKeyId: string;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
  [keyId, otherKeyId] = await Promise.all([createKey(), createKey()]);
});

async function createKey(): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  return String(KeyMetadata?.KeyId);
}

const createAlias = (AliasName: string, TargetKeyId = keyId) =>
  client.send(new CreateAliasCommand({ AliasName, TargetKeyId }));

const updateAlias = (AliasName: string, TargetKeyId = keyId) =>
  client.send(new UpdateAliasCommand({ AliasName, TargetKeyId }));

const deleteAlias = (AliasName: string) => client.send(new DeleteAliasCommand({ AliasName }));

const keyIdOf = async (KeyId: string) =>
  (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyId;

describe('CreateAlias', () => {
  it('gives a key a name, which ListAliases shows', async () => {
    const before = Date.now();
    const created = await createAlias('alias/Some_name-1/part');
    expect(created).toEqual({ $metadata: expect.objectContaining({ httpStatusCode: 200 }) });
    expect(await keyIdOf('alias/Some_name-1/part')).toBe(keyId);
    const { Aliases } = await client.send(new ListAliasesCommand({ KeyId: keyId }));
    const alias = Aliases?.find(({ AliasName }) => AliasName === 'alias/Some_name-1/part');
    expect(alias).toEqual({
      AliasName: 'alias/Some_name-1/part',
      AliasArn: `${PREFIX}:alias/Some_name-1/part`,
      TargetKeyId: keyId,
      CreationDate: expect.any(Date),
      LastUpdatedDate: alias?.CreationDate,
    });
    expect(alias?.CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(alias?.CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('takes the ARN of a key', async () => {
    await createAlias('alias/by-arn', `${PREFIX}:key/${keyId}`);
    expect(await keyIdOf('alias/by-arn')).toBe(keyId);
  });

  it('tells names apart by case', async () => {
    await createAlias('alias/case', keyId);
    await createAlias('alias/CASE', otherKeyId);
    expect(await keyIdOf('alias/case')).toBe(keyId);
    expect(await keyIdOf('alias/CASE')).toBe(otherKeyId);
  });

  it('makes one of many that want the same name at once', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => createAlias('alias/race')));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each([
    ['no-prefix', 'ValidationException'],
    ['alias/', 'InvalidAliasNameException'],
    ['alias/aws/s3', 'InvalidAliasNameException'],
    ['alias/a:b', 'InvalidAliasNameException'],
    ['alias/white space', 'ValidationException'],
    ['alias/ümlaut', 'ValidationException'],
    [`alias/${'x'.repeat(251)}`, 'ValidationException'],
  ])('refuses the name %s', async (name, exception) => {
    expect(await refusalOf(createAlias(name))).toMatchObject({ name: exception, status: 400 });
  });

  it('takes a name of 256 characters', async () => {
    const name = `alias/${'x'.repeat(250)}`;
    await createAlias(name);
    expect(await keyIdOf(name)).toBe(keyId);
  });
});

describe('UpdateAlias', () => {
  const entryOf = async (name: string) => {
    const { Aliases = [] } = await client.send(new ListAliasesCommand({ Limit: 100 }));
    return Aliases.find(({ AliasName }) => AliasName === name);
  };

  it('points a name at another key, by its id or ARN, and says when', async () => {
    await createAlias('alias/pointed', keyId);
    const before = await entryOf('alias/pointed');
    const updated = await updateAlias('alias/pointed', otherKeyId);
    expect(updated).toEqual({ $metadata: expect.objectContaining({ httpStatusCode: 200 }) });
    expect(await keyIdOf('alias/pointed')).toBe(otherKeyId);
    const after = await entryOf('alias/pointed');
    expect(after).toEqual({ ...before, TargetKeyId: otherKeyId, LastUpdatedDate: expect.any(Date) });
    expect(after?.LastUpdatedDate?.getTime()).toBeGreaterThanOrEqual(before?.CreationDate?.getTime() ?? 0);
    await updateAlias('alias/pointed', `${PREFIX}:key/${keyId}`);
    expect(await keyIdOf('alias/pointed')).toBe(keyId);
  });

  it('leaves what was encrypted under the old key to the old key', async () => {
    await createAlias('alias/changes', keyId);
    const Plaintext = Buffer.from('data');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: 'alias/changes', Plaintext }));
    await updateAlias('alias/changes', otherKeyId);
    const opened = await client.send(new DecryptCommand({ CiphertextBlob }));
    expect(opened.KeyId).toBe(`${PREFIX}:key/${keyId}`);
    const named = client.send(new DecryptCommand({ CiphertextBlob, KeyId: 'alias/changes' }));
    expect(await exceptionOf(named)).toBe('IncorrectKeyException');
  });
});

describe('DeleteAlias', () => {
  it('frees a name for another key', async () => {
    await createAlias('alias/moves', keyId);
    await deleteAlias('alias/moves');
    expect(await exceptionOf(keyIdOf('alias/moves'))).toBe('NotFoundException');
    await createAlias('alias/moves', otherKeyId);
    expect(await keyIdOf('alias/moves')).toBe(otherKeyId);
  });
});

describe('ListAliases', () => {
  it('gives every alias once, page by page, in the order of their names', async () => {
    for (const name of ['p', 'q', 'r', 's', 't']) await createAlias(`alias/page/${name}`);
    const { Aliases = [], Truncated } = await client.send(new ListAliasesCommand({ Limit: 100 }));
    expect(Truncated).toBe(false);
    const names = Aliases.map(({ AliasName = '' }) => AliasName);
    expect(names).toEqual([...names].sort());
    const found = [];
    for await (const page of paginateListAliases({ client, pageSize: 4 }, {})) {
      expect(page.Aliases?.length).toBeLessThanOrEqual(4);
      found.push(...(page.Aliases ?? []));
    }
    expect(found).toEqual(Aliases);
  });

  it('gives those of one key, by its id or ARN', async () => {
    const third = await createKey();
    expect(await client.send(new ListAliasesCommand({ KeyId: third }))).toMatchObject({ Aliases: [] });
    for (const name of ['alias/of-third/1', 'alias/of-third/2', 'alias/of-third/3']) {
      await createAlias(name, third);
    }
    for (const KeyId of [third, `${PREFIX}:key/${third}`]) {
      const first = await client.send(new ListAliasesCommand({ KeyId, Limit: 2 }));
      expect(first.Truncated).toBe(true);
      const rest = await client.send(new ListAliasesCommand({ KeyId, Limit: 2, Marker: first.NextMarker }));
      expect(rest.Truncated).toBe(false);
      const names = [...(first.Aliases ?? []), ...(rest.Aliases ?? [])].map(({ AliasName }) => AliasName);
      expect(names).toEqual(['alias/of-third/1', 'alias/of-third/2', 'alias/of-third/3']);
    }
  });
});

describe('a key', () => {
  it('has 50 aliases at most, though more are made and moved at once', async () => {
    const full = await createKey();
    const other = await createKey();
    const names = Array.from({ length: MAX_ALIASES / 2 + 5 }, (_, index) => String(index));
    for (const name of names) await createAlias(`alias/moved/${name}`, other);
    const tries = await Promise.allSettled(
      names.flatMap((name) => [
        createAlias(`alias/made/${name}`, full),
        updateAlias(`alias/moved/${name}`, full),
      ]),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX_ALIASES);
    const list = new ListAliasesCommand({ KeyId: full, Limit: 100 });
    const { Aliases = [] } = await client.send(list);
    expect(Aliases).toHaveLength(MAX_ALIASES);
    // One of them is none more; one less makes room.
    await updateAlias(String(Aliases[0]?.AliasName), full);
    await deleteAlias(String(Aliases[0]?.AliasName));
    await createAlias('alias/made/after', full);
    for (const { AliasName } of (await client.send(list)).Aliases ?? []) await deleteAlias(String(AliasName));
  });
});

describe('what is documented as an error', () => {
  /** Keys, by what is the matter with them. */
  const keys = { good: '', full: '', doomed: '', unknown: NO_KEY, alias: 'alias/documented' };
  const aliasNames = Array.from({ length: MAX_ALIASES }, (_, index) => `alias/full/${index}`);

  beforeAll(async () => {
    [keys.good, keys.full, keys.doomed] = await Promise.all([createKey(), createKey(), createKey()]);
    await createAlias('alias/documented', keys.good);
    await createAlias('alias/documented/of-doomed', keys.doomed);
    for (const name of aliasNames) await createAlias(name, keys.full);
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: keys.doomed, PendingWindowInDays: 7 }));
  });

  afterAll(async () => {
    for (const name of aliasNames) await deleteAlias(name);
  });

  const PENDING = () => `${PREFIX}:key/${keys.doomed} is pending deletion.`;
  const FULL = () =>
    `Aliases per key quota for this account in this region is ${MAX_ALIASES}, current usage is ${MAX_ALIASES}.`;
  const NO_TARGET = () => `Key '${PREFIX}:key/${NO_KEY}' does not exist`;
  const NO_ALIAS = (name: string) => () => `Alias ${PREFIX}:${name} is not found.`;
  const TAKEN = () => `An alias with the name ${PREFIX}:alias/documented already exists`;
  const ANY = () => expect.any(String);

  type Name = keyof typeof keys;
  it.each<[string, string, Name, string, () => string]>([
    ['CreateAlias', 'alias/documented', 'good', 'AlreadyExistsException', TAKEN],
    ['CreateAlias', 'alias/aws/new', 'good', 'InvalidAliasNameException', ANY],
    ['CreateAlias', 'alias/new', 'doomed', 'KMSInvalidStateException', PENDING],
    ['CreateAlias', 'alias/new', 'full', 'LimitExceededException', FULL],
    ['CreateAlias', 'alias/new', 'unknown', 'NotFoundException', NO_TARGET],
    ['CreateAlias', 'alias/new', 'alias', 'ValidationException', ANY],
    ['UpdateAlias', 'alias/documented', 'doomed', 'KMSInvalidStateException', PENDING],
    ['UpdateAlias', 'alias/documented', 'full', 'LimitExceededException', FULL],
    ['UpdateAlias', 'alias/documented', 'unknown', 'NotFoundException', NO_TARGET],
    ['UpdateAlias', 'alias/documented', 'alias', 'ValidationException', ANY],
    ['UpdateAlias', 'alias/DOCUMENTED', 'good', 'NotFoundException', NO_ALIAS('alias/DOCUMENTED')],
    ['UpdateAlias', 'alias/aws/s3', 'good', 'NotFoundException', NO_ALIAS('alias/aws/s3')],
    ['UpdateAlias', 'documented', 'good', 'ValidationException', ANY],
    ['DeleteAlias', 'alias/nobody', 'good', 'NotFoundException', NO_ALIAS('alias/nobody')],
    ['DeleteAlias', 'alias/aws/s3', 'good', 'NotFoundException', NO_ALIAS('alias/aws/s3')],
    ['DeleteAlias', 'documented', 'good', 'ValidationException', ANY],
  ])('%s of %s, key: %s: %s', async (operation, name, key, exception, message) => {
    const calls = { CreateAlias: createAlias, UpdateAlias: updateAlias, DeleteAlias: deleteAlias };
    const call = calls[operation as keyof typeof calls](name, keys[key]);
    expect(await refusalOf(call)).toMatchObject({ name: exception, status: 400, message: message() });
    expect(await keyIdOf('alias/documented')).toBe(keys.good);
    expect(await exceptionOf(keyIdOf('alias/new'))).toBe('NotFoundException');
  });

  it.each([
    ['InvalidArnException', { KeyId: 'alias/documented' }],
    ['InvalidMarkerException', { Marker: 'nonsense' }],
    ['NotFoundException', { KeyId: NO_KEY }],
    ['ValidationException', { Limit: 101 }],
  ])('ListAliases: %s for %j', async (name, input) => {
    expect(await refusalOf(client.send(new ListAliasesCommand(input)))).toMatchObject({ name, status: 400 });
  });

  it('of the key that a name leaves, or loses, the state does not matter', async () => {
    await updateAlias('alias/documented/of-doomed', keys.good);
    expect(await keyIdOf('alias/documented/of-doomed')).toBe(keys.good);
  });
});
