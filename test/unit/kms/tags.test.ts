import { KmsError } from '../../../src/errors';
import { createKey } from '../../../src/kms/keys';
import { checkTags, listTags, tagKey, untagKey } from '../../../src/kms/tags';
import { codeOf, kmsErrorOf, newCall, openDomain, PREFIX, UNKNOWN_ID } from './fixture';

const tag = (name: string, value = '') => ({ name, value });
const numbered = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, index) => tag(`${prefix}${index}`));

async function withKey() {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '', tags: new Map([['first', '1']]) });
  return { ...domain, key };
}

describe('checkTags', () => {
  it.each([
    [[]],
    [[tag('a'), tag('A')]],
    [[tag('Ключ 1', 'значение')]],
    [[tag('_.:/=+-@', '_.:/=+-@')]],
    [[tag('a\u00a0b', '\u3000')]],
    [[tag('x-aws:name', 'aws:value')]],
    [numbered(50)],
  ])('takes %j', (tags) => {
    expect(() => checkTags(tags)).not.toThrow();
  });

  it.each([
    [[tag('a', '1'), tag('a', '2')], 'Duplicate tag keys'],
    [numbered(51), 'Too many tags'],
    [[tag('aws:name')], 'Tags beginning with aws: are reserved'],
    [[tag('AWS:name')], 'Tags beginning with aws: are reserved'],
    [[tag('a*')], /may have letters/],
    [[tag('a', '<')], /may have letters/],
    [[tag('a\nb')], /may have letters/],
    [[tag('\ud800')], /may have letters/],
    [[tag('a', '\0')], /may have letters/],
  ])('refuses %j', (tags, message) => {
    const check = () => checkTags(tags);
    expect(check).toThrow(KmsError);
    expect(check).toThrow(expect.objectContaining({ code: 'INVALID_TAG' }));
    expect(check).toThrow(message);
  });
});

describe('tags of a key', () => {
  it('come with it, are added, replaced and taken off', async () => {
    const { kms, key } = await withKey();
    const call = newCall();
    await tagKey(kms, call, { keyId: key.arn, tags: [tag('first', '2'), tag('second')] });
    expect(call.keyId).toBe(key.id);
    await untagKey(kms, newCall(), { keyId: key.id, names: ['second', 'third'] });
    await expect(listTags(kms, newCall(), { keyId: key.id, limit: 50 })).resolves.toEqual({
      items: [tag('first', '2')],
    });
  });

  it('are fifty at most', async () => {
    const { kms, key } = await withKey();
    await tagKey(kms, newCall(), { keyId: key.id, tags: numbered(49) });
    expect(
      await kmsErrorOf(tagKey(kms, newCall(), { keyId: key.id, tags: [tag('one-more')] })),
    ).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: `${key.arn} may have at most 50 tags.`,
    });
  });

  it('are not added to a key whose deletion another instance has just scheduled', async () => {
    const { kms, key } = await withKey();
    await tagKey(kms, newCall(), { keyId: key.id, tags: [] });
    await kms.store.deletions.schedule(key.id, { windowDays: 7, windowMs: 0, at: Date.now() });
    expect(await codeOf(tagKey(kms, newCall(), { keyId: key.id, tags: [tag('late')] }))).toBe(
      'INVALID_STATE',
    );
    expect((await listTags(kms, newCall(), { keyId: key.id, limit: 50 })).items).toHaveLength(1);
  });

  it('come in pages, whatever characters are in the last', async () => {
    const { kms, key } = await withKey();
    await untagKey(kms, newCall(), { keyId: key.id, names: ['first'] });
    await tagKey(kms, newCall(), { keyId: key.id, tags: [tag('ключ'), tag('a'), tag('я')] });
    const found = [];
    let marker: string | undefined;
    do {
      const page = await listTags(kms, newCall(), { keyId: key.id, limit: 1, ...(marker && { marker }) });
      found.push(...page.items);
      marker = page.nextMarker;
      expect(marker ?? '').toMatch(/^[\x20-\x7e]{0,1024}$/);
    } while (marker !== undefined);
    expect(found).toEqual([tag('a'), tag('ключ'), tag('я')]);
  });

  const markerOf = (name: string) => Buffer.from(name, 'utf8').toString('base64url');

  it('come after a marker of the longest name', async () => {
    const { kms, key } = await withKey();
    const marker = markerOf('𐐀'.repeat(128));
    expect(await listTags(kms, newCall(), { keyId: key.id, limit: 1, marker })).toEqual({ items: [] });
  });

  it.each(['not base64!', 'YQ==', '_w', '', ...['a\0b', 'a*', 'aws:name', 'a'.repeat(129)].map(markerOf)])(
    'have no page after the marker %j',
    async (marker) => {
      const { kms, key } = await withKey();
      expect(await codeOf(listTags(kms, newCall(), { keyId: key.id, limit: 1, marker }))).toBe(
        'INVALID_MARKER',
      );
    },
  );

  it.each([
    ['an alias', 'alias/app', 'INVALID_ARN'],
    ['an alias ARN', `${PREFIX}:alias/app`, 'INVALID_ARN'],
    ['a key that is unknown', UNKNOWN_ID, 'NOT_FOUND'],
  ])('are none of %s', async (_what, keyId, code) => {
    const { kms } = await withKey();
    expect(await codeOf(tagKey(kms, newCall(), { keyId, tags: [] }))).toBe(code);
    expect(await codeOf(untagKey(kms, newCall(), { keyId, names: [] }))).toBe(code);
    expect(await codeOf(listTags(kms, newCall(), { keyId, limit: 1 }))).toBe(code);
  });

  it('with reserved names, and more than a key can have, are not taken off', async () => {
    const { kms, key } = await withKey();
    for (const names of [['aws:name'], numbered(51).map(({ name }) => name)]) {
      expect(await codeOf(untagKey(kms, newCall(), { keyId: key.id, names }))).toBe('INVALID_TAG');
    }
  });
});
