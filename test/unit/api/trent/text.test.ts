import { trent } from '../../../../src/api/trent/handler';
import { createKey } from '../../../../src/kms/keys';
import { newCall, openDomain } from '../../kms/fixture';
import { ADMISSION, ask, bodyOf, HEADERS } from '../support';

/** Requests about a new key, to the whole service but for the token, which is a fake, and HTTP. */
async function withKey() {
  const { kms } = await openDomain();
  const { id } = await createKey(kms, newCall(), { description: 'as it was' });
  const protocol = trent(kms, ADMISSION);
  const send = async (operation: string, members: object = {}) => {
    const body = Buffer.from(JSON.stringify({ KeyId: id, ...members }));
    const headers = { ...HEADERS, 'x-amz-target': `TrentService.${operation}` };
    const answer = await ask(protocol, body, headers);
    return answer.body === undefined || answer.body.length === 0 ? {} : bodyOf(answer);
  };
  return { ask: send };
}

describe('the length of a text', () => {
  const TOO_LONG = { __type: 'ValidationException', message: expect.stringContaining('equal to 128') };

  it('is in code points wherever it is written', async () => {
    const { ask } = await withKey();
    const TagKey = '𐐀'.repeat(128);
    expect(await ask('TagResource', { Tags: [{ TagKey, TagValue: '' }] })).toEqual({});
    expect(await ask('ListResourceTags')).toMatchObject({ Tags: [{ TagKey, TagValue: '' }] });
    expect(await ask('UntagResource', { TagKeys: [TagKey] })).toEqual({});
    expect(await ask('ListResourceTags')).toMatchObject({ Tags: [] });
    const longer = `${TagKey}𐐀`;
    expect(await ask('TagResource', { Tags: [{ TagKey: longer, TagValue: '' }] })).toMatchObject(TOO_LONG);
    expect(await ask('UntagResource', { TagKeys: [longer] })).toMatchObject(TOO_LONG);
  });
});

describe('text that is not well-formed', () => {
  const REFUSAL = { __type: 'ValidationException' };
  const GRANT = { GranteePrincipal: 'arn:aws:iam::111122223333:user/alice', Operations: ['Encrypt'] };

  it.each<[string, object]>([
    ['UpdateKeyDescription', { Description: '\ud800x' }],
    ['CreateKey', { Description: 'x\udc00' }],
    ['CreateGrant', { ...GRANT, Constraints: { EncryptionContextEquals: { a: '\ud800' } } }],
    ['CreateGrant', { ...GRANT, Constraints: { EncryptionContextSubset: { '\udc00\ud800': 'a' } } }],
    ['Encrypt', { Plaintext: 'AAAA', EncryptionContext: { a: '\ud800' } }],
    ['DescribeKey', { GrantTokens: ['\ud800'] }],
  ])('is refused by %s: %j', async (operation, members) => {
    const { ask } = await withKey();
    expect(await ask(operation, members)).toMatchObject(REFUSAL);
    expect(await ask('DescribeKey')).toMatchObject({ KeyMetadata: { Description: 'as it was' } });
    expect(await ask('ListGrants')).toMatchObject({ Grants: [] });
  });

  it('is not repeated, nor made by cutting a long text', async () => {
    const { ask } = await withKey();
    for (const Description of ['\ud800x', `x${'𐐀'.repeat(8192)}`]) {
      const { message } = (await ask('UpdateKeyDescription', { Description })) as { message: string };
      expect(message).toContain("at 'description' failed to satisfy constraint");
      expect(message.isWellFormed()).toBe(true);
    }
  });

  it('is not what surrogate pairs are', async () => {
    const { ask } = await withKey();
    expect(await ask('UpdateKeyDescription', { Description: '\ud83d\ude00' })).toEqual({});
    expect(await ask('DescribeKey')).toMatchObject({ KeyMetadata: { Description: '😀' } });
  });
});
