import {
  CreateAliasCommand,
  CreateKeyCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  type KMSClient,
  ListAliasesCommand,
  paginateListAliases,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';

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

  it('refuses a name that is taken, whoever has it', async () => {
    await createAlias('alias/taken');
    for (const target of [keyId, otherKeyId]) {
      expect(await refusalOf(createAlias('alias/taken', target))).toMatchObject({
        name: 'AlreadyExistsException',
        status: 400,
      });
    }
    expect(await keyIdOf('alias/taken')).toBe(keyId);
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

  it('refuses a key that does not exist, and an alias in its place', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(await exceptionOf(createAlias('alias/of-nobody', nobody))).toBe('NotFoundException');
    expect(await exceptionOf(createAlias('alias/of-alias', 'alias/case'))).toBe('ValidationException');
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

  it('refuses an alias that is not there', async () => {
    expect(await refusalOf(deleteAlias('alias/nobody'))).toMatchObject({
      name: 'NotFoundException',
      status: 400,
    });
  });
});

describe('ListAliases', () => {
  it('gives every alias once, page by page, in the order of their names', async () => {
    for (const name of ['p', 'q', 'r', 's', 't']) await createAlias(`alias/page/${name}`);
    const { Aliases = [], Truncated } = await client.send(new ListAliasesCommand({}));
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

  it('refuses an unknown key, an alias in place of one, and a marker that it never gave', async () => {
    const list = (input: object) => exceptionOf(client.send(new ListAliasesCommand(input)));
    expect(await list({ KeyId: '00000000-0000-4000-8000-000000000000' })).toBe('NotFoundException');
    expect(await list({ KeyId: 'alias/case' })).toBe('InvalidArnException');
    expect(await list({ Marker: 'nonsense' })).toBe('InvalidMarkerException');
  });
});
