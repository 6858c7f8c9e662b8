import crypto from 'node:crypto';
import { isSigned, type SignedRequest, signingKey } from '../../../../../src/api/trent/sigv4/verify';
import {
  ACCESS_KEY_ID,
  finder,
  IDENTITY,
  minutesAfter,
  NOW,
  raw,
  refusal,
  SCOPE,
  SECRET,
  signedRequest,
  verify,
} from './support';

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
  'Access Key and signing method. Consult the service documentation for details.';
const UNKNOWN = 'The security token included in the request is invalid.';

type Signer = NonNullable<Parameters<typeof signedRequest>[0]>;
type Change = (headers: Record<string, string>) => Record<string, string>;

/** A good request with its headers changed after signing. */
async function changed(change: Change, signer: Signer = {}): Promise<SignedRequest> {
  const request = await signedRequest(signer);
  return raw({ ...request, headers: change(request.headers) });
}

const authorization =
  (change: (value: string) => string): Change =>
  (headers) => ({ ...headers, authorization: change(String(headers.authorization)) });

const without =
  (name: string): Change =>
  ({ [name]: _gone, ...headers }) =>
    headers;

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

describe('refused at once', () => {
  const incomplete = (message: string) => ({ type: 'IncompleteSignatureException', message });
  const invalid = (message: string) => ({ type: 'InvalidSignatureException', message });
  const containing = (text: string) => expect.stringContaining(text) as string;
  const scope = (from: string, to: string) => authorization((value) => value.replace(from, to));
  const NO_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
  const REGULAR = incomplete("'SignedHeaders' must be in lower case, sorted and without duplicates.");
  const UNSIGNED = invalid(containing('There were headers present in the request which were not signed'));
  const ISO = incomplete(containing("Date must be in ISO-8601 'basic format'."));
  const PAYLOAD = invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  const PAIR = incomplete(containing('not a valid key=value pair'));
  const FIVE = incomplete(containing('Credential must have exactly 5 slash-delimited elements'));
  const ALGORITHM = incomplete("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is supported.");
  const token = { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' };

  it.each<[string, Change, object]>([
    ['no signature', without('authorization'), token],
    ['an empty header', authorization(() => ''), ALGORITHM],
    ['another scheme', authorization(() => 'Bearer secret'), ALGORITHM],
    ['another algorithm', scope('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'), ALGORITHM],
    ['a longer algorithm', scope('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA256-PAYLOAD'), ALGORITHM],
    [
      'nothing but the algorithm, and no date',
      (headers) => ({ ...without('x-amz-date')(headers), authorization: 'AWS4-HMAC-SHA256' }),
      incomplete(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders' " +
          `parameter. Authorization header requires 'Signature' parameter. ${NO_DATE}`,
      ),
    ],
    [
      'no signature in the header',
      authorization((value) => value.replace(/, Signature=.*/, '')),
      incomplete("Authorization header requires 'Signature' parameter."),
    ],
    [
      'an empty credential',
      authorization((value) => value.replace(/Credential=[^,]*/, 'Credential=')),
      incomplete("Authorization header requires 'Credential' parameter."),
    ],
    ['no date', without('x-amz-date'), incomplete(NO_DATE)],
    ['a pair without equal-sign', scope('Signature=', 'Signature'), PAIR],
    ['an empty pair', authorization((value) => `${value},`), PAIR],
    ['a parameter twice', authorization((value) => `${value}, Signature=0`), incomplete(containing('once'))],
    ['a parameter too many', authorization((value) => `${value}, More=0`), incomplete(containing('once'))],
    ['a credential with too little', scope('/us-east-1', ''), FIVE],
    ['a credential with too much', scope('/aws4_request', '/aws4_request/'), FIVE],
    [
      'another region',
      scope('us-east-1', 'eu-west-1'),
      invalid('Credential should be scoped to a valid region.'),
    ],
    [
      'another service',
      scope('/kms/', '/sts/'),
      invalid("Credential should be scoped to correct service: 'kms'."),
    ],
    [
      'another terminator',
      scope('aws4_request', 'aws5_request'),
      invalid("Credential should be scoped with a valid terminator: 'aws4_request'."),
    ],
    [
      'the date of another day in the scope',
      scope('/20260301/', '/20260228/'),
      invalid(containing('Date in Credential scope does not match YYYYMMDD')),
    ],
    [
      'everything wrong in the scope',
      scope('20260301/us-east-1/kms/aws4_request', 'a/b/c/d'),
      invalid(containing("valid region. Credential should be scoped to correct service: 'kms'. Credential")),
    ],
    ['HTTP’s date', (headers) => ({ ...headers, 'x-amz-date': NOW.toUTCString() }), ISO],
    ['the extended date', (headers) => ({ ...headers, 'x-amz-date': NOW.toISOString() }), ISO],
    ['a day that is none', (headers) => ({ ...headers, 'x-amz-date': '20260230T000000Z' }), ISO],
    ['an hour that is none', (headers) => ({ ...headers, 'x-amz-date': '20260301T240000Z' }), ISO],
    ['a second that is none', (headers) => ({ ...headers, 'x-amz-date': '20260301T000060Z' }), ISO],
    [
      'a host that is not signed',
      scope(';host', ''),
      invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."),
    ],
    ['a target that is not signed', scope(';x-amz-target', ''), UNSIGNED],
    ['a date that is not signed', scope(';x-amz-date', ''), UNSIGNED],
    ['any X-Amz header that is not signed', (headers) => ({ ...headers, 'X-AMZ-Meta': '' }), UNSIGNED],
    ['signed headers in capitals', scope(';host', ';Host'), REGULAR],
    ['signed headers twice', scope(';host', ';host;host'), REGULAR],
    ['signed headers out of order', scope('content-type;host', 'host;content-type'), REGULAR],
    ['an empty signed header', scope(';host', ';;host'), REGULAR],
    ['a signed header that is no name', scope(';host', ';ho st;host'), REGULAR],
    ['a signed header that is not there', without('content-type'), invalid(MISMATCH)],
    ['another body’s hash', (h) => ({ ...h, 'x-amz-content-sha256': '0'.repeat(64) }), PAYLOAD],
    ['an unsigned payload', (h) => ({ ...h, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }), PAYLOAD],
    [
      'a streamed payload',
      (h) => ({ ...h, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }),
      PAYLOAD,
    ],
    ['an empty hash', (headers) => ({ ...headers, 'x-amz-content-sha256': '' }), PAYLOAD],
  ])('%s', async (_what, change, error) => {
    const find = finder();
    expect(await refusal(verify(await changed(change), { find }))).toMatchObject(error);
    expect(find).not.toHaveBeenCalled();
  });

  it.each(['Authorization', 'Host', 'X-Amz-Date', 'X-Amz-Target', 'X-Amz-Content-Sha256'])(
    'a repeated %s, even of the same value',
    async (name) => {
      const request = await signedRequest();
      const again = request.headers[name.toLowerCase()];
      const rawHeaders = [...raw(request).rawHeaders, name, String(again)];
      const { url, method, body } = request;
      expect(await refusal(verify({ url, method, body, rawHeaders }))).toMatchObject(
        incomplete(`The ${name} header must not be repeated.`),
      );
    },
  );

  it.each(['/?X-Amz-Algorithm=AWS4-HMAC-SHA256', '/?a=b&x-amz-algorithm', '/?X-Amz%2DSignature=0'])(
    'a signature in the query, %s, with or without a header',
    async (url) => {
      const request = { ...raw(await signedRequest()), url };
      const error = invalid(containing('query string is not supported'));
      expect(await refusal(verify(request))).toMatchObject(error);
      expect(await refusal(verify({ ...request, rawHeaders: [] }))).toMatchObject(error);
    },
  );

  it.each(['', '*', 'http://127.0.0.1:8080/', '127.0.0.1:8080', '/?%', '/?%4', '/%zz', '/\u0161', '/\ud800'])(
    'what is no path: %j',
    async (url) => {
      expect(await refusal(verify({ ...raw(await signedRequest()), url }))).toMatchObject(invalid(MISMATCH));
    },
  );

  it('never repeats what came instead of a signature', async () => {
    const request = await changed(authorization(() => 'hunter2'));
    expect((await refusal(verify(request))).message).not.toContain('hunter2');
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
