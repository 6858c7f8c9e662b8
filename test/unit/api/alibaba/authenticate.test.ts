import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  authenticated,
  BY_SIGNATURE,
  directory,
  INVALID_DATE,
  missing,
  NO_MATCH,
  privateKey,
  ROOT,
  refused,
  UNKNOWN,
} from './authentication';
import { HEADERS, type Pairs, raw, signed, withHeader, without } from './signed';

describe('a signed request', () => {
  it.each(['Bearer', 'TOKEN'])('is its client key’s principal’s, with the scheme %s', async (scheme) => {
    await expect(authenticated(signed(privateKey, HEADERS, scheme))).resolves.toEqual(BY_SIGNATURE);
  });

  it.each([
    ['date', INVALID_DATE],
    [
      'x-kms-signaturemethod',
      { status: 400, code: 'InvalidParam', message: 'The Param x-kms-signaturemethod is invalid.' },
    ],
    ['x-kms-acccesskeyid', missing('x-kms-acccesskeyid')],
    ['authorization', missing('authorization')],
    ['content-sha256', missing('content-sha256')],
    ['content-type', NO_MATCH],
    ['x-kms-apiname', NO_MATCH],
    ['x-kms-apiversion', NO_MATCH],
  ])('without %s is refused as documented', async (name, answer) => {
    expect(await refused(without(signed(privateKey), name))).toEqual(answer);
  });

  it.each([
    ['date', INVALID_DATE],
    ['x-kms-acccesskeyid', missing('x-kms-acccesskeyid')],
    ['authorization', missing('authorization')],
    ['content-sha256', missing('content-sha256')],
  ])('with an empty %s is refused as if there were none', async (name, answer) => {
    expect(await refused(withHeader(signed(privateKey), name, ''))).toEqual(answer);
  });

  it.each(['', 'rsa_pkcs1_sha_256', 'RSA_PSS_SHA_256', 'caf\u00e9'])(
    'with the signature method "%s" is told so, even if it is signed so',
    async (method) => {
      const pairs = withHeader(HEADERS, 'x-kms-signaturemethod', method);
      expect(await refused(signed(privateKey, pairs))).toEqual({
        status: 400,
        code: 'InvalidParam',
        message: `The Param x-kms-signaturemethod is invalid. message:"${method}".`,
      });
    },
  );

  it('of nobody is refused, and names no client key', async () => {
    const pairs = withHeader(HEADERS, 'x-kms-acccesskeyid', 'KAAP.nobody');
    expect(await refused(signed(privateKey, pairs))).toEqual(UNKNOWN);
  });

  it('of somebody else is refused', async () => {
    const { privateKey: other } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(await refused(signed(other))).toEqual(NO_MATCH);
  });

  it.each(['/?', '/?x-kms-apiname=Decrypt', '//', 'http://127.0.0.1/'])(
    'for / is refused for "%s"',
    async (url) => {
      expect(await refused(signed(privateKey), { url })).toEqual(NO_MATCH);
    },
  );

  const changes: Record<string, string> = {
    'content-type': 'application/x-protobuF',
    date: 'Sun, 22 Nov 2026 05:23:51 GMT',
    'content-sha256': 'A'.repeat(64),
    'x-kms-apiversion': 'dkms-gcs-0.3',
    'x-kms-apiname': 'AdvanceDecrypt',
    authorization: 'Bearer AAAA',
  };

  it.each(Object.keys(changes))('with a changed %s is refused', async (name) => {
    const pairs = withHeader(signed(privateKey), name, String(changes[name]));
    expect(await refused(pairs)).toEqual(NO_MATCH);
  });

  it.each([...Object.keys(changes), 'x-kms-acccesskeyid', 'x-kms-signaturemethod'])(
    'with two headers %s is refused, whichever is first',
    async (name) => {
      const pairs = signed(privateKey);
      const value = String(pairs.find(([other]) => other.toLowerCase() === name)?.[1]);
      expect(await refused([...pairs, [name, value]])).toEqual(NO_MATCH);
      expect(await refused([...pairs, [name, 'x']])).toEqual(NO_MATCH);
      expect(await refused([[name, ''], ...pairs])).toEqual(NO_MATCH);
    },
  );

  it('of a store that cannot be read fails as the store does', async () => {
    const fault = new Error('the disk is full');
    const principals = directory();
    principals.findClientKey.mockRejectedValue(fault);
    await expect(authenticated(signed(privateKey), { principals })).rejects.toBe(fault);
  });
});

describe('without authentication', () => {
  it('everybody is root, whatever the headers are', async () => {
    for (const pairs of [[] as Pairs, HEADERS, signed(privateKey), [...HEADERS, ...HEADERS]]) {
      expect(await authenticated(pairs, { auth: 'none', url: '/?a' })).toEqual({ principal: ROOT });
    }
  });
});

describe('any headers at all', () => {
  const names = HEADERS.map(([name]) => name).concat('authorization');
  const value = fc.oneof(
    fc.constantFrom(...signed(privateKey).map(([, text]) => text)),
    fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
  );
  const pair = fc.tuple(fc.oneof(fc.constantFrom(...names), fc.string()), value);

  it('are refused in a documented way, unless they are signed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(pair), async (pairs) => {
        expect([400, 401, 404]).toContain((await refused(pairs)).status);
      }),
      { numRuns: 500 },
    );
  });

  it('in place of good ones are refused in a documented way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), value, async (name, text) => {
        const pairs = signed(privateKey);
        const changed = withHeader(pairs, name.toLowerCase(), text);
        const covered = !/^(host|accept)$/i.test(name);
        fc.pre(covered && raw(changed).join('\n') !== raw(pairs).join('\n'));
        expect([400, 401, 404]).toContain((await refused(changed)).status);
      }),
      { numRuns: 300 },
    );
  });
});
