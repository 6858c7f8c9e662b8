import {
  authorization,
  type Change,
  changed,
  finder,
  MISMATCH,
  NOW,
  raw,
  refusal,
  signedRequest,
  verify,
  without,
} from './support';

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
      const find = finder();
      const request = { ...raw(await signedRequest()), url };
      expect(await refusal(verify(request, { find }))).toMatchObject(invalid(MISMATCH));
      expect(find).not.toHaveBeenCalled();
    },
  );

  it('never repeats what came instead of a signature', async () => {
    const request = await changed(authorization(() => 'hunter2'));
    expect((await refusal(verify(request))).message).not.toContain('hunter2');
  });
});
