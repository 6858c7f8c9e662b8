import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { assertSignedBody, authenticate } from '../../../../src/api/alibaba/authenticate';
import { ProtocolError, toAlibabaError } from '../../../../src/api/alibaba/errors';
import type { ClientCertificate } from '../../../../src/api/source';
import { KmsError } from '../../../../src/errors';
import type { Principal } from '../../../../src/kms/principal-directory';
import {
  BODY,
  CLIENT_KEY_ID,
  HEADERS,
  METHOD,
  NOW,
  PATH,
  type Pairs,
  raw,
  signed,
  withHeader,
  without,
} from './signed';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const principal = (name: string, kind: 'user' | 'root' = 'user'): Principal => ({
  identity: { arn: `arn:aws:iam::111122223333:${name}`, account: '111122223333', kind, name },
  policies: [],
});
const ALICE = principal('alice');
const BOB = principal('bob');
const ROOT = principal('root', 'root');

/** Alice has the client key; there are certificates of Alice's and of Bob's. */
function directory() {
  return {
    root: () => ROOT,
    findClientKey: jest.fn(async (id: string) =>
      id === CLIENT_KEY_ID ? { publicKey, principal: ALICE } : undefined,
    ),
    findByCertificate: async (subject: string) =>
      new Map([
        ['CN=alice', ALICE],
        ['CN=bob', BOB],
      ]).get(subject),
    findSigningKey: () => Promise.reject(new Error('not of this protocol')),
    forget: () => undefined,
  };
}

interface Circumstances {
  readonly certificate?: ClientCertificate;
  readonly now?: number;
  readonly url?: string;
  readonly auth?: 'signature' | 'none';
  readonly principals?: ReturnType<typeof directory>;
}

const authenticated = (
  pairs: Pairs,
  { certificate, now = NOW, url = PATH, auth = 'signature', principals = directory() }: Circumstances = {},
) => {
  const source = { secure: true, ...(certificate && { certificate }) };
  return authenticate({ principals }, auth, { method: METHOD, url, rawHeaders: raw(pairs), source }, now);
};

/** What a request is refused with: the client's fault, and in one of the documented ways. */
async function refused(pairs: Pairs, circumstances?: Circumstances) {
  const error: unknown = await authenticated(pairs, circumstances).then(
    (who) => new Error(`accepted as ${who.principal.identity.name}`),
    (thrown) => thrown,
  );
  if (error instanceof ProtocolError || error instanceof KmsError) return toAlibabaError(error);
  throw error;
}

const BY_SIGNATURE = { principal: ALICE, accessKeyId: CLIENT_KEY_ID };
const NO_MATCH = { status: 401, code: 'SignatureNotMatch', message: 'Signature is not matched.' };
const INVALID_DATE = { status: 400, code: 'InvalidParam', message: 'The Param Date is invalid.' };
const SKEWED = {
  status: 400,
  code: 'RequestTimeTooSkewed',
  message: 'Request time exceeds server time more than 15 minutes.',
};
const UNKNOWN = {
  status: 404,
  code: 'InvalidAccessKeyId.NotFound',
  message: 'The AccessKey ID provided does not exist in our records.',
};
const missing = (name: string) => ({
  status: 400,
  code: 'MissingParameter',
  message: `Parameter ${name} does not exist in http header or body.`,
});

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

describe('the date', () => {
  const dated = (date: string) => signed(privateKey, withHeader(HEADERS, 'date', date));

  it.each([
    'Sun, 22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 05:23:50 UTC',
    // Whoever signs it has a calendar of their own.
    'Mon, 22 Nov 2026 05:23:50 GMT',
  ])('may be %s', async (date) => {
    await expect(authenticated(dated(date))).resolves.toEqual(BY_SIGNATURE);
  });

  it.each([
    'now',
    '22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 05:23:50',
    'Sun, 22 Nov 2026 05:23:50 CET',
    'Sun, 22 Nov 2026 05:23:50 +0000',
    'Sun, 22 Nov 2026 05:23:50 GMT ',
    'Sun, 22 Nov 2026 5:23:50 GMT',
    'Sun,  22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 26 05:23:50 GMT',
    'Sunday, 22-Nov-26 05:23:50 GMT',
    'Sun Nov 22 05:23:50 2026',
    'Sun, 31 Nov 2026 05:23:50 GMT',
    'Sun, 00 Nov 2026 05:23:50 GMT',
    'Sun, 29 Feb 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 24:00:00 GMT',
    'Sun, 22 Nov 2026 05:60:50 GMT',
    'Sun, 22 Nov 2026 05:23:60 GMT',
    'Sun, 22 Nov 0000 05:23:50 GMT',
    'Xyz, 22 Nov 2026 05:23:50 GMT',
    'sun, 22 nov 2026 05:23:50 gmt',
    '2026-11-22T05:23:50Z',
    '20261122T052350Z',
    '1795325030',
    'undefined',
  ])('may not be "%s"', async (date) => {
    expect(await refused(dated(date))).toEqual(INVALID_DATE);
  });

  it.each([-15 * 60_000, -14 * 60_000, 14 * 60_000, 15 * 60_000])('may be %i ms off', async (skew) => {
    await expect(authenticated(signed(privateKey), { now: NOW + skew })).resolves.toEqual(BY_SIGNATURE);
  });

  it.each([-16 * 60_000, -15 * 60_000 - 1, 15 * 60_000 + 1, 16 * 60_000, 1e12, -1e12])(
    'may not be %i ms off, and nobody is looked up then',
    async (skew) => {
      const principals = directory();
      const now = NOW + skew;
      const unknown = signed(privateKey, withHeader(HEADERS, 'x-kms-acccesskeyid', 'KAAP.nobody'));
      const forged = withHeader(signed(privateKey), 'authorization', 'Bearer AAAA');
      for (const pairs of [signed(privateKey), unknown, forged]) {
        expect(await refused(pairs, { now, principals })).toEqual(SKEWED);
      }
      expect(principals.findClientKey).not.toHaveBeenCalled();
    },
  );
});

describe('a client certificate', () => {
  const valid = (subject: string): ClientCertificate => ({ subject, authorized: true });
  const selfSigned = (subject: string): ClientCertificate => ({
    subject,
    authorized: false,
    fault: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });

  it('is enough', async () => {
    for (const pairs of [HEADERS, [] as Pairs]) {
      expect(await authenticated(pairs, { certificate: valid('CN=alice') })).toEqual({ principal: ALICE });
    }
  });

  it.each([
    ['stands for nobody', valid('CN=nobody')],
    ['comes from no authority', selfSigned('CN=alice')],
  ])('that %s is refused where the request is not signed', async (_what, certificate) => {
    expect(await refused(HEADERS, { certificate })).toEqual(UNKNOWN);
  });

  it('and a signature must agree', async () => {
    const pairs = signed(privateKey);
    expect(await authenticated(pairs, { certificate: valid('CN=alice') })).toEqual(BY_SIGNATURE);
    for (const name of ['CN=bob', 'CN=nobody']) {
      expect(await refused(pairs, { certificate: valid(name) })).toEqual(UNKNOWN);
    }
  });

  it.each(['CN=alice', 'CN=bob', 'CN=KAAP.3f2504e0'])(
    'that comes from no authority (%s) is ignored where the request is signed: Alibaba’s Go SDK offers its own',
    async (subject) => {
      const certificate = selfSigned(subject);
      expect(await authenticated(signed(privateKey), { certificate })).toEqual(BY_SIGNATURE);
      const forged = withHeader(signed(privateKey), 'authorization', 'Bearer AAAA');
      expect(await refused(forged, { certificate })).toEqual(NO_MATCH);
    },
  );

  it.each([
    ['wrong', 'Bearer AAAA', NO_MATCH],
    ['empty', '', missing('authorization')],
    ['of another kind', 'Basic YTpi', NO_MATCH],
  ])('does not make up for a signature that is %s', async (_what, authorization, answer) => {
    const pairs: Pairs = [...HEADERS, ['authorization', authorization]];
    expect(await refused(pairs, { certificate: valid('CN=alice') })).toEqual(answer);
  });

  it('does not choose between two headers either', async () => {
    const pairs: Pairs = [...HEADERS, ['x-kms-apiname', 'Decrypt']];
    expect(await refused(pairs, { certificate: valid('CN=alice') })).toEqual(NO_MATCH);
  });
});

describe('without authentication', () => {
  it('everybody is root, whatever the headers are', async () => {
    for (const pairs of [[] as Pairs, HEADERS, signed(privateKey), [...HEADERS, ...HEADERS]]) {
      expect(await authenticated(pairs, { auth: 'none', url: '/?a' })).toEqual({ principal: ROOT });
      expect(() => assertSignedBody('none', head(pairs), Buffer.from('x'))).not.toThrow();
    }
  });
});

const head = (pairs: Pairs) => ({ method: METHOD, url: PATH, rawHeaders: raw(pairs) });

describe('the body', () => {
  it('is the one that was signed', () => {
    expect(() => assertSignedBody('signature', head(signed(privateKey)), BODY)).not.toThrow();
  });

  it.each([
    ['with a bit flipped', Buffer.from([10, 3, 97, 98, 98])],
    ['that is shorter', BODY.subarray(1)],
    ['that is longer', Buffer.concat([BODY, Buffer.of(0)])],
    ['that is empty', Buffer.alloc(0)],
  ])('%s is refused', (_what, body) => {
    expect(() => assertSignedBody('signature', head(signed(privateKey)), body)).toThrow(
      expect.objectContaining({ answer: NO_MATCH }),
    );
  });

  it.each([
    ['in lower case', (hash: string) => hash.toLowerCase()],
    ['in base64', (hash: string) => Buffer.from(hash, 'hex').toString('base64')],
    ['cut short', (hash: string) => hash.slice(0, -2)],
    ['gone', () => ''],
  ])('is refused with its hash %s', (_how, change) => {
    const hash = String(HEADERS.find(([name]) => name === 'Content-Sha256')?.[1]);
    const pairs = signed(privateKey, withHeader(HEADERS, 'content-sha256', change(hash)));
    expect(() => assertSignedBody('signature', head(pairs), BODY)).toThrow(
      expect.objectContaining({ answer: NO_MATCH }),
    );
  });

  it('of a request that is not signed is its connection’s matter', () => {
    expect(() => assertSignedBody('signature', head(HEADERS), Buffer.from('x'))).not.toThrow();
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
