import fc from 'fast-check';
import { KmsError } from '../../../src/errors';
import { createArns } from '../../../src/kms/arns';
import type { AliasName, KeyId } from '../../../src/kms/key';
import { isAlias, isKeyId, parseKeyReference } from '../../../src/kms/key-reference';

const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
const ARNS = createArns(PREFIX);
const ID = '1234abcd-12ab-34cd-56ef-1234567890ab';

/** What a text refers to, or the KmsError that it gets. */
function outcome(text: string, arns = ARNS): unknown {
  try {
    return parseKeyReference(arns, text);
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw error;
  }
}

describe('parseKeyReference', () => {
  it.each([
    ['an id', ID, { kind: 'id', id: ID }],
    ['a key ARN', `${PREFIX}:key/${ID}`, { kind: 'id', id: ID }],
    ['an alias', 'alias/app/key_1-a', { kind: 'alias', name: 'alias/app/key_1-a' }],
    ['an alias ARN', `${PREFIX}:alias/app`, { kind: 'alias', name: 'alias/app' }],
    ['an alias that looks like an id', `alias/${ID}`, { kind: 'alias', name: `alias/${ID}` }],
  ])('reads %s', (_what, text, reference) => {
    expect(outcome(text)).toEqual(reference);
  });

  it('reads the ARNs that it hands out, under any prefix', () => {
    for (const prefix of [PREFIX, 'arn:verenc:111122223333', 'arn:x:y']) {
      const arns = createArns(prefix);
      expect(outcome(arns.key(ID as KeyId), arns)).toEqual({ kind: 'id', id: ID });
      const name = 'alias/app' as AliasName;
      expect(outcome(arns.alias(name), arns)).toEqual({ kind: 'alias', name });
    }
  });

  it.each([
    ['nothing', ''],
    ['a word', 'my-key'],
    ['an id in upper case', ID.toUpperCase()],
    ['an id without hyphens', ID.replaceAll('-', '')],
    ['an id in braces', `{${ID}}`],
    ['an id with a line feed', `${ID}\n`],
    ['an id with a space', ` ${ID}`],
    ['two ids', `${ID}${ID}`],
    ['key/ without an ARN', `key/${ID}`],
    ['an ARN without key/', `${PREFIX}:${ID}`],
    ['key/ twice', `${PREFIX}:key/key/${ID}`],
    ['an ARN of nothing', `${PREFIX}:`],
    ['an ARN of a key without a name', `${PREFIX}:key/`],
    ['an ARN of an id in upper case', `${PREFIX}:key/${ID.toUpperCase()}`],
    ['an ARN with more behind it', `${PREFIX}:key/${ID}/1`],
    ['an ARN of something else', `${PREFIX}:grant/${ID}`],
    ['alias without a slash', 'alias'],
    ['__proto__', '__proto__'],
  ])('finds nothing under %s', (_what, text) => {
    expect(outcome(text)).toMatchObject({ code: 'NOT_FOUND', message: `Invalid keyId '${text}'` });
  });

  it.each([
    ['another account', `arn:aws:kms:us-east-1:444455556666:key/${ID}`],
    ['another region', `arn:aws:kms:eu-west-1:111122223333:key/${ID}`],
    ['another partition', `arn:verenc:111122223333:key/${ID}`],
    ['an account that begins like ours', `${PREFIX}4:key/${ID}`],
    ['nobody', 'arn:'],
  ])('finds nothing under an ARN of %s, and says whose ARNs are known', (_whose, text) => {
    expect(outcome(text)).toMatchObject({
      code: 'NOT_FOUND',
      message: `Invalid arn ${text}: this service's ARNs begin with ${PREFIX}:`,
    });
  });

  it('repeats no more than 256 characters of what it was given', () => {
    for (const text of ['x'.repeat(2_048), `arn:${'x'.repeat(2_044)}`]) {
      const { message } = outcome(text) as KmsError;
      expect(message).toContain(text.slice(0, 256));
      expect(message).not.toContain(text.slice(0, 257));
    }
  });

  it('answers any text with a reference or NOT_FOUND', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((rest) => `${PREFIX}:key/${rest}`),
      fc.string().map((rest) => `${PREFIX}:${rest}`),
      fc.string().map((rest) => `alias/${rest}`),
      fc.uuid(),
    );
    fc.assert(
      fc.property(text, (given) => {
        const answer = outcome(given);
        if (answer instanceof KmsError) expect(answer.code).toBe('NOT_FOUND');
        else expect(answer).toEqual(expect.objectContaining({ kind: expect.stringMatching(/^(id|alias)$/) }));
      }),
    );
  });
});

describe('isAlias', () => {
  it.each(['alias/app', `${PREFIX}:alias/app`, 'arn:verenc:444455556666:alias/app'])(
    'holds for %s',
    (text) => {
      expect(isAlias(text)).toBe(true);
    },
  );

  it.each([ID, `${PREFIX}:key/${ID}`, 'alias', 'my-alias/app', ''])('does not hold for %j', (text) => {
    expect(isAlias(text)).toBe(false);
  });
});

describe('isKeyId', () => {
  it('knows what node:crypto makes', () => {
    expect(isKeyId(crypto.randomUUID())).toBe(true);
  });
});

describe('createArns', () => {
  it.each([
    [PREFIX, '111122223333'],
    ['arn:verenc:444455556666', '444455556666'],
  ])('takes the account from the last field of %s', (prefix, account) => {
    expect(createArns(prefix)).toMatchObject({ prefix, account });
  });

  it('puts the prefix before keys and aliases', () => {
    expect(ARNS.key(ID as KeyId)).toBe(`${PREFIX}:key/${ID}`);
    expect(ARNS.alias('alias/app' as AliasName)).toBe(`${PREFIX}:alias/app`);
  });
});
