import fc from 'fast-check';
import { settings } from '../../../src/config/settings';
import { KmsError } from '../../../src/errors';
import { createArns } from '../../../src/kms/arns';
import type { KeyArn } from '../../../src/kms/key';
import { checkKeyPolicy, getKeyPolicy, listKeyPolicies, putKeyPolicy } from '../../../src/kms/key-policies';
import { createKey } from '../../../src/kms/keys';
import { policyOf } from '../access/policies';
import { codeOf, kmsErrorOf, newCall, openDomain, PREFIX, rootOf, UNKNOWN_ID } from './fixture';

const LOCKOUT = 'The new key policy will not allow you to update the key policy in the future.';

async function withKey(policy?: string) {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '', ...(policy && { policy }) });
  return { ...domain, key };
}

function refusalOf(policy: string, options: Parameters<typeof checkKeyPolicy>[3] = { bypass: false }) {
  try {
    checkKeyPolicy({ arns: createArns(PREFIX) }, newCall(), policy, options);
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw error;
  }
  return undefined;
}

describe('checkKeyPolicy', () => {
  it('takes a policy under which the account can put another', () => {
    expect(refusalOf(policyOf({}))).toBeUndefined();
  });

  it.each([[policyOf({ Action: 'kms:Encrypt' })], [policyOf({ Principal: { AWS: '444455556666' } })]])(
    'refuses %s unless the safety check is bypassed',
    (policy) => {
      expect(refusalOf(policy)).toMatchObject({ code: 'MALFORMED_POLICY', message: LOCKOUT });
      expect(refusalOf(policy, { bypass: true })).toBeUndefined();
    },
  );

  it('knows which key the policy will be of', () => {
    const keyArn = `${PREFIX}:key/${UNKNOWN_ID}` as KeyArn;
    expect(refusalOf(policyOf({ Resource: keyArn }), { bypass: false, keyArn })).toBeUndefined();
    expect(refusalOf(policyOf({ Resource: keyArn }))).toMatchObject({ message: LOCKOUT });
    expect(refusalOf(policyOf({ Resource: `${PREFIX}:key/*` }))).toBeUndefined();
  });

  it('takes 32 KiB, in bytes, and no more', () => {
    const long = (length: number) => {
      const text = policyOf({ Sid: 'é' });
      return text + ' '.repeat(length - Buffer.byteLength(text));
    };
    expect(refusalOf(long(32_768))).toBeUndefined();
    expect(refusalOf(long(32_769))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('refuses what is no policy, bypassed or not', () => {
    for (const bypass of [true, false]) {
      expect(refusalOf('{}', { bypass })).toMatchObject({ code: 'MALFORMED_POLICY' });
    }
  });
});

describe('the policy of a key', () => {
  it.each([
    ['arn:aws:kms:us-east-1:111122223333', 'arn:aws:iam::111122223333:root'],
    ['arn:aws-cn:kms:cn-north-1:111122223333', 'arn:aws-cn:iam::111122223333:root'],
    ['arn:verenc:acme', 'arn:verenc:iam::acme:root'],
  ])('is at first that the account may do everything, under %s', async (prefix, root) => {
    const { kms, key } = await withKey();
    const arns = createArns(prefix);
    const call = newCall(rootOf(arns));
    const policy = await getKeyPolicy({ ...kms, arns }, call, { keyId: key.id, name: 'default' });
    expect(JSON.parse(policy)).toEqual({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: root },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
  });

  it('is at first one that can be put, under every prefix that the setting takes', async () => {
    const { kms, key } = await withKey();
    const schema = settings.find(([name]) => name === 'P11KMS_ARN_PREFIX')?.[1].schema;
    if (!schema || !('pattern' in schema) || !schema.pattern) throw new Error('the setting has no pattern');
    const prefixes = fc.stringMatching(new RegExp(schema.pattern), { maxLength: 256 });
    await fc.assert(
      fc.asyncProperty(prefixes, async (prefix) => {
        const arns = createArns(prefix);
        const call = newCall(rootOf(arns));
        const policy = await getKeyPolicy({ ...kms, arns }, call, { keyId: key.id, name: 'default' });
        checkKeyPolicy({ arns }, call, policy, { bypass: false, keyArn: arns.key(key.id) });
      }),
      { examples: [['arn:verenc:123'], ['arn:1-:-'], ['arn:aws:kms:us-east-1:1111222233334']] },
    );
  });

  it('is what was put last, to the letter', async () => {
    const first = policyOf({ Sid: 'first' });
    const { kms, key } = await withKey(first);
    const get = () => getKeyPolicy(kms, newCall(), { keyId: key.arn, name: 'default' });
    expect(await get()).toBe(first);
    const second = ` ${policyOf({ Sid: 'second' })}\n`;
    const call = newCall();
    await putKeyPolicy(kms, call, { keyId: key.id, name: 'default', policy: second, bypass: false });
    expect(call.keyId).toBe(key.id);
    expect(await get()).toBe(second);
    const lockout = putKeyPolicy(kms, newCall(), {
      keyId: key.id,
      name: 'default',
      policy: policyOf({ Effect: 'Deny' }),
      bypass: false,
    });
    expect(await kmsErrorOf(lockout)).toMatchObject({ code: 'MALFORMED_POLICY', message: LOCKOUT });
    expect(await get()).toBe(second);
  });

  it('is called default, and there is no other', async () => {
    const { kms, key } = await withKey();
    await expect(listKeyPolicies(kms, newCall(), { keyId: key.id })).resolves.toEqual(['default']);
    const other = { keyId: key.id, name: 'other' };
    expect(await kmsErrorOf(getKeyPolicy(kms, newCall(), other))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such policy exists',
    });
    const put = putKeyPolicy(kms, newCall(), { ...other, policy: policyOf({}), bypass: false });
    expect(await codeOf(put)).toBe('NOT_FOUND');
    expect(await codeOf(listKeyPolicies(kms, newCall(), { keyId: key.id, marker: 'default' }))).toBe(
      'INVALID_MARKER',
    );
  });

  it.each([
    ['alias/app', 'INVALID_ARN'],
    [UNKNOWN_ID, 'NOT_FOUND'],
  ])('is none of %s', async (keyId, code) => {
    const { kms } = await withKey();
    const request = { keyId, name: 'default', policy: policyOf({}), bypass: false };
    expect(await codeOf(getKeyPolicy(kms, newCall(), request))).toBe(code);
    expect(await codeOf(putKeyPolicy(kms, newCall(), request))).toBe(code);
    expect(await codeOf(listKeyPolicies(kms, newCall(), { keyId }))).toBe(code);
  });
});
