import {
  CreateKeyCommand,
  DisableKeyCommand,
  type KMSClient,
  ListKeysCommand,
  ListResourceTagsCommand,
  paginateListResourceTags,
  ScheduleKeyDeletionCommand,
  type Tag,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-kms';
import { exceptionOf, kmsClient, refusalOf } from '../support/kms-client';
import { startServer } from '../support/server';
import { createSite } from '../support/site';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const NO_KEY = '00000000-0000-4000-8000-000000000000';

let client: KMSClient;

beforeAll(async () => {
  client = kmsClient(await startServer(createSite()));
});

const tag = (TagKey: string, TagValue = ''): Tag => ({ TagKey, TagValue });
const numbered = (count: number, prefix = 'tag') =>
  Array.from({ length: count }, (_, index) => tag(`${prefix}-${String(index).padStart(2, '0')}`));

async function createKey(Tags?: Tag[]): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ Tags }));
  return String(KeyMetadata?.KeyId);
}

const tagResource = (KeyId: string, Tags: Tag[]) => client.send(new TagResourceCommand({ KeyId, Tags }));
const untagResource = (KeyId: string, TagKeys: string[]) =>
  client.send(new UntagResourceCommand({ KeyId, TagKeys }));
const tagsOf = async (KeyId: string) =>
  (await client.send(new ListResourceTagsCommand({ KeyId, Limit: 50 }))).Tags;

it('tags come with a key, are added, changed and taken off', async () => {
  const id = await createKey([tag('Purpose', 'Test'), tag('Стоимость', '87 654')]);
  const arn = `${PREFIX}:key/${id}`;
  expect(await client.send(new ListResourceTagsCommand({ KeyId: id }))).toEqual({
    $metadata: expect.objectContaining({ httpStatusCode: 200 }),
    Tags: [tag('Purpose', 'Test'), tag('Стоимость', '87 654')],
    Truncated: false,
  });
  const answer = { $metadata: expect.objectContaining({ httpStatusCode: 200 }) };
  expect(await tagResource(arn, [tag('Purpose', 'Production'), tag('purpose'), tag('a@b', '1=2')])).toEqual(
    answer,
  );
  expect(await untagResource(arn, ['Стоимость', 'unknown'])).toEqual(answer);
  expect(await tagsOf(id)).toEqual([tag('Purpose', 'Production'), tag('a@b', '1=2'), tag('purpose')]);
  await tagResource(id, []);
  await untagResource(id, []);
  expect(await tagsOf(id)).toHaveLength(3);
});

it('a disabled key can be tagged, one that is pending deletion cannot', async () => {
  const id = await createKey([tag('a')]);
  await client.send(new DisableKeyCommand({ KeyId: id }));
  await tagResource(id, [tag('b')]);
  await untagResource(id, ['a']);
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: id }));
  for (const call of [() => tagResource(id, [tag('c')]), () => untagResource(id, ['b'])]) {
    expect(await refusalOf(call())).toMatchObject({
      name: 'KMSInvalidStateException',
      status: 400,
      message: `${PREFIX}:key/${id} is pending deletion.`,
    });
  }
  expect(await tagsOf(id)).toEqual([tag('b')]);
});

describe('a key has fifty tags at most', () => {
  it('which is a TagException in one request, and a LimitExceededException in several', async () => {
    const id = await createKey(numbered(49));
    await tagResource(id, [tag('one-more')]);
    expect(await refusalOf(tagResource(id, [tag('too-many')]))).toMatchObject({
      name: 'LimitExceededException',
      status: 400,
    });
    expect(await exceptionOf(tagResource(id, numbered(51)))).toBe('TagException');
    // Others in the place of what is there are not more.
    await tagResource(
      id,
      numbered(49).map(({ TagKey }) => ({ TagKey, TagValue: 'new' })),
    );
    expect(await tagsOf(id)).toHaveLength(50);
  });

  it('whoever adds them at once', async () => {
    const id = await createKey(numbered(45));
    const tries = Array.from({ length: 10 }, (_, index) => tagResource(id, [tag(`more-${index}`)]));
    const done = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled');
    expect(done).toHaveLength(5);
    expect(await tagsOf(id)).toHaveLength(50);
  });
});

it('tags are listed page by page, in the order of their keys', async () => {
  const keys = [...numbered(3).map(({ TagKey }) => String(TagKey)), 'ä', 'ключ', '鍵'];
  const id = await createKey(keys.map((key) => tag(key)));
  const found: (string | undefined)[] = [];
  for await (const page of paginateListResourceTags({ client, pageSize: 2 }, { KeyId: id })) {
    expect(page.Tags).toHaveLength(2);
    found.push(...(page.Tags ?? []).map(({ TagKey }) => TagKey));
  }
  expect(found).toEqual(keys);
});

describe('tags that are refused', () => {
  const table: [what: string, tags: Tag[], exception: string, message: string | RegExp][] = [
    ['two of one key', [tag('a', '1'), tag('a', '2')], 'TagException', 'Duplicate tag keys'],
    ['too many', numbered(51), 'TagException', 'Too many tags'],
    ['a reserved key', [tag('aws:a')], 'TagException', 'Tags beginning with aws: are reserved'],
    ['a reserved key in capitals', [tag('AWS:a')], 'TagException', 'Tags beginning with aws: are reserved'],
    ['a character in a key', [tag('a*')], 'TagException', /may have letters/],
    ['a character in a value', [tag('a', '#')], 'TagException', /may have letters/],
    ['an empty key', [tag('')], 'ValidationException', /'tags\.1\.member\.tagKey'/],
    ['a long key', [tag('a'), tag('x'.repeat(129))], 'ValidationException', /'tags\.2\.member\.tagKey'/],
    ['a long value', [tag('a', 'x'.repeat(257))], 'ValidationException', /'tags\.1\.member\.tagValue'/],
    ['a key without a value', [{ TagKey: 'a' } as Tag], 'ValidationException', /'tags\.1\.member\.tagValue'/],
  ];

  let id: string;
  beforeAll(async () => {
    id = await createKey();
  });

  it.each(table)('%s, on a key', async (_what, tags, name, message) => {
    const refusal = await refusalOf(tagResource(id, tags));
    expect(refusal).toMatchObject({ name, status: 400, message: expect.stringMatching(message) });
    expect(await tagsOf(id)).toEqual([]);
  });

  it.each(table)('%s, with a new key, which is not made', async (_what, tags, name, message) => {
    const keys = async () => (await client.send(new ListKeysCommand({}))).Keys?.length;
    const before = await keys();
    const refusal = await refusalOf(createKey(tags));
    expect(refusal).toMatchObject({ name, status: 400, message: expect.stringMatching(message) });
    expect(await keys()).toBe(before);
  });

  it('as they are of the greatest length', async () => {
    const longest = tag('x'.repeat(128), 'y'.repeat(256));
    expect(await tagsOf(await createKey([longest]))).toEqual([longest]);
  });
});

describe('untagging is refused', () => {
  it.each<[string, string[], string]>([
    ['a reserved key', ['aws:a'], 'TagException'],
    ['more than a key can have', numbered(51).map(({ TagKey }) => String(TagKey)), 'TagException'],
    ['an empty key', [''], 'ValidationException'],
    ['a long key', ['x'.repeat(129)], 'ValidationException'],
  ])('for %s', async (_what, keys, exception) => {
    expect(await exceptionOf(untagResource(await createKey(), keys))).toBe(exception);
  });
});

describe.each([
  ['NotFoundException', NO_KEY],
  ['NotFoundException', `${PREFIX}:key/${NO_KEY}`],
  ['InvalidArnException', 'alias/tagged'],
  ['InvalidArnException', `${PREFIX}:alias/tagged`],
])('%s is the answer to %s', (exception, KeyId) => {
  it.each([
    ['TagResource', () => tagResource(KeyId, [tag('a')])],
    ['UntagResource', () => untagResource(KeyId, ['a'])],
    ['ListResourceTags', () => tagsOf(KeyId)],
  ])('of %s', async (_name, call) => {
    expect(await refusalOf(call())).toMatchObject({ name: exception, status: 400 });
  });
});

it.each<[string, object, string]>([
  ['no tags on a page', { Limit: 0 }, 'ValidationException'],
  ['more than fifty', { Limit: 51 }, 'ValidationException'],
  ['a marker that it never gave', { Marker: 'nonsense!' }, 'InvalidMarkerException'],
])('ListResourceTags refuses %s', async (_what, input, exception) => {
  const command = new ListResourceTagsCommand({ KeyId: await createKey(), ...input });
  expect(await exceptionOf(client.send(command))).toBe(exception);
});
