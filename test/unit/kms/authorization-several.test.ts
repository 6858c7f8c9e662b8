// Requests that need more than one permission.
import { createAlias, deleteAlias, listAliases, updateAlias } from '../../../src/kms/aliases';
import { createArns } from '../../../src/kms/arns';
import { encrypt } from '../../../src/kms/data';
import type { Key } from '../../../src/kms/key';
import { checkKeyPolicy, putKeyPolicy } from '../../../src/kms/key-policies';
import { createKey, listKeys } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import { dryRunWithoutCiphertext, reEncrypt } from '../../../src/kms/re-encrypt';
import { policyOf } from '../access/policies';
import { codeOf, context, kmsErrorOf, newCall, PREFIX } from './fixture';
import { ALICE, aliceCalls, nobody, withKey } from './users';

describe('ReEncrypt', () => {
  const BEFORE = context({ stage: 'before' });
  const AFTER = context({ stage: 'after' });

  async function withCiphertext() {
    const { kms, token, key: source } = await withKey();
    const destination = await createKey(kms, newCall(), { description: '' });
    const request = { keyId: source.id, authenticated: BEFORE, dryRun: false };
    const { ciphertext } = await encrypt(kms, newCall(), { ...request, plaintext: Buffer.from('data') });
    token.jobs.length = 0;
    const move = (...statements: object[]) =>
      reEncrypt(kms, aliceCalls('ReEncrypt', ...statements), {
        source: { ciphertext, authenticated: BEFORE },
        destinationKeyId: destination.id,
        authenticated: AFTER,
        dryRun: false,
      });
    return { kms, token, source, destination, move };
  }

  const from = ({ arn }: Key) => ({ Action: 'kms:ReEncryptFrom', Resource: arn });
  const to = ({ arn }: Key) => ({ Action: 'kms:ReEncryptTo', Resource: arn });

  it('needs ReEncryptFrom on the one key and ReEncryptTo on the other', async () => {
    const { token, source, destination, move } = await withCiphertext();
    expect(await codeOf(move({ Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt'] }))).toBe(
      'CIPHERTEXT_KEY_OUT_OF_REACH',
    );
    expect(await codeOf(move(to(source), to(destination)))).toBe('CIPHERTEXT_KEY_OUT_OF_REACH');
    expect(await kmsErrorOf(move(from(source), from(destination)))).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining(`kms:ReEncryptTo on resource: ${destination.arn} because`),
    });
    expect(token.jobs).toEqual([]);
    await expect(move(from(source), to(destination))).resolves.toBeDefined();
    await expect(move({ Action: 'kms:ReEncrypt*' })).resolves.toBeDefined();
  });

  it('has a context for each half', async () => {
    const { source, destination, move } = await withCiphertext();
    const stage = (value: string) => ({
      Condition: { StringEquals: { 'kms:EncryptionContext:stage': value } },
    });
    await expect(
      move({ ...from(source), ...stage('before') }, { ...to(destination), ...stage('after') }),
    ).resolves.toBeDefined();
    expect(await codeOf(move({ ...from(source), ...stage('after') }, to(destination)))).toBe(
      'CIPHERTEXT_KEY_OUT_OF_REACH',
    );
    expect(await codeOf(move(from(source), { ...to(destination), ...stage('before') }))).toBe(
      'ACCESS_DENIED',
    );
  });

  it('needs both in a dry run without a ciphertext, too', async () => {
    const { kms, source, destination } = await withCiphertext();
    const attempt = (...statements: object[]) =>
      kmsErrorOf(
        dryRunWithoutCiphertext(kms, aliceCalls('ReEncrypt', ...statements), {
          source: { keyId: source.id, authenticated: BEFORE },
          destination: { keyId: destination.id, authenticated: AFTER },
        }),
      );
    expect((await attempt(to(destination))).message).toContain('kms:ReEncryptFrom');
    expect((await attempt(from(source))).message).toContain('kms:ReEncryptTo');
    expect((await attempt(from(source), to(destination))).code).toBe('DRY_RUN');
  });
});

describe('an alias', () => {
  const ALIAS = `${PREFIX}:alias/app`;

  async function withTwoKeys() {
    const { kms, key } = await withKey();
    const other = await createKey(kms, newCall(), { description: '' });
    return { kms, key, other };
  }

  const outcome = async (asking: Promise<void>): Promise<string> => {
    try {
      await asking;
    } catch (error) {
      return /on resource: (\S+)/.exec((error as Error).message)?.[1] ?? String(error);
    }
    return 'done';
  };

  it('is made with permission on it and on the key', async () => {
    const { kms, key } = await withTwoKeys();
    const create = (...Resource: string[]) =>
      outcome(
        createAlias(kms, aliceCalls('CreateAlias', { Action: 'kms:CreateAlias', Resource }), {
          aliasName: 'alias/app',
          targetKeyId: key.id,
        }),
      );
    expect(await create(key.arn)).toBe(ALIAS);
    expect(await create(ALIAS)).toBe(key.arn);
    expect((await listAliases(kms, newCall(), { limit: 1 })).items).toEqual([]);
    expect(await create(ALIAS, key.arn)).toBe('done');
  });

  it('is moved with permission on it and on both keys', async () => {
    const { kms, key, other } = await withTwoKeys();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const update = (...Resource: string[]) =>
      outcome(
        updateAlias(kms, aliceCalls('UpdateAlias', { Action: 'kms:UpdateAlias', Resource }), {
          aliasName: 'alias/app',
          targetKeyId: other.id,
        }),
      );
    expect(await update(key.arn, other.arn)).toBe(ALIAS);
    // The key that it names now is not shown.
    expect(await update(ALIAS, other.arn)).toBe(ALIAS);
    expect(await update(ALIAS, key.arn)).toBe(other.arn);
    expect(await update(ALIAS, key.arn, other.arn)).toBe('done');
  });

  it('that moves while it is moved or deleted is asked about again', async () => {
    const { kms, key, other } = await withTwoKeys();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const { find } = kms.store.aliases;
    jest.spyOn(kms.store.aliases, 'find').mockImplementationOnce(async (name) => {
      const alias = await find(name);
      await kms.store.aliases.update(name, { from: key.id, to: other.id });
      return alias;
    });
    const call = aliceCalls('DeleteAlias', { Action: 'kms:DeleteAlias', Resource: [ALIAS, key.arn] });
    expect(await outcome(deleteAlias(kms, call, { aliasName: 'alias/app' }))).toBe(ALIAS);
    expect(await find('alias/app')).toMatchObject({ key_id: other.id });
  });

  it('is deleted with permission on it and on its key', async () => {
    const { kms, key } = await withTwoKeys();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const remove = (...Resource: string[]) =>
      outcome(
        deleteAlias(kms, aliceCalls('DeleteAlias', { Action: 'kms:DeleteAlias', Resource }), {
          aliasName: 'alias/app',
        }),
      );
    expect(await remove(key.arn)).toBe(ALIAS);
    expect(await remove(ALIAS)).toBe(ALIAS);
    expect(await remove(ALIAS, key.arn)).toBe('done');
  });

  it('that is free is told only to whom the name is allowed', async () => {
    const { kms } = await withTwoKeys();
    const remove = (Resource: string) =>
      codeOf(deleteAlias(kms, aliceCalls('DeleteAlias', { Resource }), { aliasName: 'alias/app' }));
    expect(await remove(`${PREFIX}:alias/other`)).toBe('ACCESS_DENIED');
    expect(await remove(ALIAS)).toBe('ALIAS_NOT_FOUND');
  });

  it('is listed with its key by whoever may list aliases', async () => {
    const { kms, key } = await withTwoKeys();
    await createAlias(kms, newCall(), { aliasName: 'alias/app', targetKeyId: key.id });
    const list = (call: Call) => listAliases(kms, call, { keyId: key.id, limit: 1 });
    const { items } = await list(aliceCalls('ListAliases', { Action: 'kms:ListAliases' }));
    expect(items).toMatchObject([{ name: 'alias/app', keyId: key.id }]);
    expect(await codeOf(list(newCall(nobody, 'ListAliases')))).toBe('ACCESS_DENIED');
  });
});

describe('CreateKey', () => {
  const create = { Action: 'kms:CreateKey' };
  const tag = { Action: 'kms:TagResource' };
  const make = (kms: Kms, tags: [string, string][], ...statements: object[]) =>
    createKey(kms, aliceCalls('CreateKey', ...statements), { description: '', tags: new Map(tags) });

  it('needs TagResource, too, where it brings tags', async () => {
    const { kms, token } = await withKey();
    token.jobs.length = 0;
    expect(await codeOf(make(kms, [], tag))).toBe('ACCESS_DENIED');
    expect(await kmsErrorOf(make(kms, [['team', 'blue']], create))).toMatchObject({
      code: 'ACCESS_DENIED',
      message: `User: ${ALICE} is not authorized to perform: kms:TagResource on resource: * because no identity-based policy allows the kms:TagResource action`,
    });
    expect(token.jobs).toEqual([]);
    expect((await listKeys(kms, newCall(), { limit: 10 })).items).toHaveLength(1);
    await expect(make(kms, [], create)).resolves.toBeDefined();
    await expect(make(kms, [['team', 'blue']], create, tag)).resolves.toBeDefined();
  });
});

describe('the lockout safety check is about the caller,', () => {
  const ALICES = policyOf({ Principal: { AWS: ALICE } });
  const LOCKOUT = { code: 'MALFORMED_POLICY', message: expect.stringContaining('update the key policy') };
  const put = (kms: Kms, call: Call, keyId: string, policy: string, bypass = false) =>
    putKeyPolicy(kms, call, { keyId, name: 'default', policy, bypass });

  it('who may not put a policy under which only others could put another', async () => {
    const { kms, key } = await withKey(policyOf({}, { Principal: { AWS: ALICE } }));
    const root = newCall(undefined, 'PutKeyPolicy');
    expect(await kmsErrorOf(put(kms, root, key.id, ALICES))).toMatchObject(LOCKOUT);
    await put(kms, newCall(nobody, 'PutKeyPolicy'), key.id, ALICES);
    expect(await codeOf(put(kms, root, key.id, policyOf({})))).toBe('ACCESS_DENIED');
  });

  it('whose own policies count where the key policy lets them', async () => {
    const { kms, key } = await withKey(ALICES);
    const withOwn = aliceCalls('PutKeyPolicy', { Action: 'kms:PutKeyPolicy' });
    expect(await kmsErrorOf(put(kms, newCall(nobody, 'PutKeyPolicy'), key.id, policyOf({})))).toMatchObject(
      LOCKOUT,
    );
    await put(kms, withOwn, key.id, policyOf({}));
  });

  it('and is left out on request, which needs the permission all the same', async () => {
    const { kms, key } = await withKey();
    expect(await codeOf(put(kms, newCall(nobody, 'PutKeyPolicy'), key.id, ALICES, true))).toBe(
      'ACCESS_DENIED',
    );
    await put(kms, newCall(undefined, 'PutKeyPolicy'), key.id, ALICES, true);
  });

  it('of a key that is yet to be made, too', () => {
    const check = (call: Call) => () =>
      checkKeyPolicy({ arns: createArns(PREFIX) }, call, ALICES, { bypass: false });
    expect(check(newCall())).toThrow(expect.objectContaining(LOCKOUT));
    expect(check(newCall(nobody))).not.toThrow();
  });
});
