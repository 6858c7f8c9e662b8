import crypto from 'node:crypto';
import { isSigned, signingKey } from '../../../../../src/api/trent/sigv4/verify';
import {
  ACCESS_KEY_ID,
  authorization,
  type Change,
  changed,
  finder,
  IDENTITY,
  MISMATCH,
  minutesAfter,
  NOW,
  raw,
  refusal,
  SCOPE,
  SECRET,
  type Signer,
  signedRequest,
  verify,
} from './support';

describe('a signed request', () => {
  it('is its signer’s', async () => {
    const find = finder();
    await expect(verify(raw(await signedRequest()), { find })).resolves.toBe(IDENTITY);
    expect(find.mock.calls).toEqual([[ACCESS_KEY_ID, '20260301']]);
  });

  it.each([
    ['five minutes early', -5],
    ['five minutes late, on the day before', 5],
  ])('may come %s', async (_when, minutes) => {
    const at = new Date(Math.floor(NOW.getTime() / 1000) * 1000);
    const find = finder();
    const now = new Date(at.getTime() + minutes * 60_000);
    await expect(verify(raw(await signedRequest({ at })), { now, find })).resolves.toBe(IDENTITY);
    expect(find.mock.calls).toEqual([[ACCESS_KEY_ID, '20260301']]);
  });

  it('is looked up for the day of its signature, not for today', async () => {
    const find = finder();
    const request = raw(await signedRequest({ at: minutesAfter(-3) }));
    await expect(verify(request, { find })).resolves.toBe(IDENTITY);
    expect(find.mock.calls).toEqual([[ACCESS_KEY_ID, '20260228']]);
  });

  it.each<[string, Change]>([
    ['commas without spaces', authorization((value) => value.replaceAll(', ', ','))],
    [
      'parameters in another order',
      authorization((value) => value.replace(/ (.*), (.*), (.*)$/, ' $3, $1, $2')),
    ],
    ['more space after the algorithm', authorization((value) => value.replace(' ', '   '))],
    ['headers in capitals', (headers) => capitals(headers)],
    [
      'headers that nobody needs to sign',
      (headers) => ({ ...headers, 'X-Amzn-Trace-Id': 'Root=1', via: 'p' }),
    ],
  ])('may have %s', async (_what, change) => {
    await expect(verify(await changed(change))).resolves.toBe(IDENTITY);
  });

  const capitals = (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));

  it('may carry its time in the Date header', async () => {
    const request = await signedRequest({ applyChecksum: false });
    const [credential] = String(request.headers.authorization).split(', ');
    const canonical =
      `POST\n/\n\nhost:127.0.0.1:8080\n\nhost\n` +
      crypto.createHash('sha256').update(request.body).digest('hex');
    const hashed = crypto.createHash('sha256').update(canonical).digest('hex');
    const key = signingKey(Buffer.from(SECRET), '20260301', SCOPE);
    const text = `AWS4-HMAC-SHA256\n20260301T000200Z\n20260301/us-east-1/kms/aws4_request\n${hashed}`;
    const signature = crypto.createHmac('sha256', key).update(text).digest('hex');
    const headers = {
      host: '127.0.0.1:8080',
      date: '20260301T000200Z',
      authorization: `${credential}, SignedHeaders=host, Signature=${signature}`,
    };
    await expect(verify(raw({ ...request, headers }))).resolves.toBe(IDENTITY);
    const later = { ...headers, date: '20260301T000201Z' };
    expect(await refusal(verify(raw({ ...request, headers: later })))).toMatchObject({ message: MISMATCH });
  });
});

describe('refused after the same work', () => {
  const stale = (message: string) => ({ type: 'InvalidSignatureException', message });
  const EXPIRED = stale(
    'Signature expired: 20260228T235659Z is now earlier than 20260228T235700Z (20260301T000200Z - 5 min.)',
  );
  const EARLY = stale(
    'Signature not yet current: 20260301T000701Z is still later than 20260301T000700Z (20260301T000200Z + 5 min.)',
  );
  const WRONG = { type: 'InvalidSignatureException', message: MISMATCH };
  const UNKNOWN = 'The security token included in the request is invalid.';
  const NOBODYS = { type: 'UnrecognizedClientException', message: UNKNOWN };
  const NOBODY = '_'.repeat(16);
  const today = '20260301';

  it.each<[string, Signer, object, asked: [string, string]]>([
    [
      'an unknown access key',
      { accessKeyId: 'AKIAEXAMPLEEXAMPLE02' },
      NOBODYS,
      ['AKIAEXAMPLEEXAMPLE02', today],
    ],
    ['a wrong secret', { secretAccessKey: `${SECRET}x` }, WRONG, [ACCESS_KEY_ID, today]],
    ['a signature too old', { at: new Date('2026-02-28T23:56:59Z') }, EXPIRED, [ACCESS_KEY_ID, today]],
    ['a signature of the future', { at: new Date('2026-03-01T00:07:01Z') }, EARLY, [ACCESS_KEY_ID, today]],
    ['a signature of long ago', { at: new Date('1999-12-31T00:00:00Z') }, {}, [ACCESS_KEY_ID, today]],
    ['a session token', { sessionToken: 'token' }, NOBODYS, [NOBODY, today]],
    ['an access key that is too short', { accessKeyId: 'AKIA' }, NOBODYS, [NOBODY, today]],
    ['an access key that is too long', { accessKeyId: 'A'.repeat(129) }, NOBODYS, [NOBODY, today]],
    ['an access key of odd characters', { accessKeyId: 'AKIA-EXAMPLE.EXAMPLE' }, NOBODYS, [NOBODY, today]],
    ['an access key that is nobody', { accessKeyId: NOBODY }, NOBODYS, [NOBODY, today]],
  ])('%s', async (_what, signer, error, asked) => {
    const compare = jest.spyOn(crypto, 'timingSafeEqual');
    const request = raw(await signedRequest(signer));
    const createHmac = jest.spyOn(crypto, 'createHmac');
    try {
      const find = jest.fn(async (id: string) => {
        return { signingKey: Buffer.alloc(32), identity: id === ACCESS_KEY_ID ? IDENTITY : undefined };
      });
      const now = new Date('2026-03-01T00:02:00Z');
      expect(await refusal(verify(request, { find, now }))).toMatchObject(error);
      expect(find.mock.calls).toEqual([asked]);
      expect(createHmac).toHaveBeenCalledTimes(1);
      expect(compare).toHaveBeenCalledTimes(1);
    } finally {
      jest.restoreAllMocks();
    }
  });

  it('nobody, even if the finder knew him', async () => {
    const find = jest.fn(async () => ({ signingKey: Buffer.alloc(32), identity: IDENTITY }));
    expect(await refusal(verify(raw(await signedRequest({ accessKeyId: 'AKIA' })), { find }))).toMatchObject(
      NOBODYS,
    );
  });

  it.each(['f', 'F'.repeat(64), 'é'.repeat(32), 'g'.repeat(64)])('the signature %s', async (signature) => {
    const find = finder();
    const request = await changed(authorization((value) => value.replace(/[0-9a-f]{64}$/, signature)));
    expect(await refusal(verify(request, { find }))).toMatchObject(WRONG);
    expect(find).toHaveBeenCalledTimes(1);
  });

  it('a finder’s failure is not the client’s', async () => {
    const find = jest.fn(() => Promise.reject(new Error('the store is away')));
    await expect(verify(raw(await signedRequest()), { find })).rejects.toThrow('the store is away');
  });
});

describe('isSigned', () => {
  it.each([
    [[], false],
    [['Host', 'authorization'], false],
    [['Host', 'a', 'AUTHORIZATION', ''], true],
    [['authorization', 'Bearer x'], true],
  ])('%j: %s', (rawHeaders, expected) => {
    expect(isSigned(rawHeaders)).toBe(expected);
  });
});

describe('signingKey', () => {
  it('is AWS’s example, and leaves the secret alone', () => {
    const secret = Buffer.from(SECRET);
    const scope = { region: 'us-east-1', service: 'iam' as 'kms' };
    expect(signingKey(secret, '20150830', scope).toString('hex')).toBe(
      'c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9',
    );
    expect(secret.toString()).toBe(SECRET);
  });

  it('zeroes what it makes on the way', () => {
    const createHmac = crypto.createHmac;
    const made: Buffer[] = [];
    const spy = jest.spyOn(crypto, 'createHmac').mockImplementation((algorithm, key) => {
      if (Buffer.isBuffer(key)) made.push(key);
      return createHmac(algorithm, key);
    });
    try {
      signingKey(Buffer.from(SECRET), '20150830', SCOPE);
    } finally {
      spy.mockRestore();
    }
    expect(made.map((buffer) => buffer.every((byte) => byte === 0))).toEqual([true, true, true, true]);
  });
});
