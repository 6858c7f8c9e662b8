import fc from 'fast-check';
import { finder, raw, refusal, signedRequest, verify } from './support';

// Nothing that is not signed is accepted, and nothing but the client is ever at fault.

const SIGNATURE = 'a'.repeat(64);
const piece = fc.oneof(
  fc.constantFrom(
    'AWS4-HMAC-SHA256',
    ' ',
    ',',
    ', ',
    '=',
    '/',
    ';',
    '\n',
    'Credential=',
    'SignedHeaders=',
    'Signature=',
    'AKIAEXAMPLEEXAMPLE01/20260301/us-east-1/kms/aws4_request',
    'content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target',
    'host',
    'authorization',
    SIGNATURE,
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const pieces = fc.array(piece, { maxLength: 16 }).map((some) => some.join(''));
const wellMade = fc
  .tuple(pieces, pieces, fc.oneof(pieces, fc.constant(SIGNATURE)))
  .map(([credential, names, signature]) => {
    return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
  });
const nearlyRight = fc
  .tuple(
    fc.constantFrom('AKIAEXAMPLEEXAMPLE01', 'AKIAEXAMPLEEXAMPLE02', 'AKIA'),
    fc.constantFrom('content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target', 'host'),
    pieces,
  )
  .map(([id, names, signature]) => {
    const credential = `${id}/20260301/us-east-1/kms/aws4_request`;
    return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
  });
const authorization = fc.oneof(pieces, wellMade, nearlyRight, fc.string({ unit: 'binary' }));

const RUNS = { numRuns: 2000 };

test('an Authorization header of anything is refused, and asks at most once', async () => {
  const good = await signedRequest();
  const property = fc.asyncProperty(authorization, async (value) => {
    const find = finder();
    const request = raw({ ...good, headers: { ...good.headers, authorization: value } });
    const { type } = await refusal(verify(request, { find }));
    expect(type).toMatch(/^(IncompleteSignature|InvalidSignature|UnrecognizedClient)Exception$/);
    expect(find.mock.calls.length).toBeLessThanOrEqual(1);
    for (const [id] of find.mock.calls) expect(id).toMatch(/^\w{16,128}$/);
  });
  await fc.assert(property, RUNS);
});

test('a request of anything is refused', async () => {
  const headerName = fc.oneof(
    fc.constantFrom('Authorization', 'authorization', 'Host', 'Date', 'X-Amz-Date', 'X-Amz-Content-Sha256'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  const headerValue = fc.oneof(
    authorization,
    fc.constantFrom('20260301T000200Z', '99999999T999999Z', '00000000T000000Z'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const request = fc.record({
    method: fc.string({ unit: 'binary', maxLength: 5 }),
    url: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((path) => `/${path}`),
    ),
    rawHeaders: fc.array(fc.tuple(headerName, headerValue), { maxLength: 6 }).map((lines) => lines.flat()),
    body: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  });
  const property = fc.asyncProperty(request, async (some) => {
    await refusal(verify(some));
  });
  await fc.assert(property, RUNS);
});

test('only one date is asked for, whatever time a request claims', async () => {
  const at = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
  const property = fc.asyncProperty(at, async (claimed) => {
    const find = finder();
    const request = raw(await signedRequest({ at: claimed }));
    const { message } = await refusal(verify(request, { find }));
    expect(message).toMatch(/^Signature (expired|not yet current): \d{8}T\d{6}Z is /);
    expect(find.mock.calls).toEqual([[expect.any(String), '20260301']]);
  });
  await fc.assert(property, { numRuns: 300 });
});
