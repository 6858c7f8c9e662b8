import fc from 'fast-check';
import type { SignedRequest } from '../../../../../src/api/trent/sigv4/verify';
import { IDENTITY, refusal, sign, verify } from './support';

// What AWS's own signer signs, and what becomes of it when somebody changes one character.

const RESERVED = /^(authorization|host|date|x-amz-(date|target|content-sha256|security-token)|__proto__)$/i;
/** Headers that the signer leaves out because proxies change them. */
const UNSIGNED =
  /^(cache-control|connection|expect|from|keep-alive|max-forwards|pragma|referer|te|trailer|transfer-encoding|upgrade|user-agent|x-amzn-trace-id|(proxy|sec)-.*)$/i;

const characters = (text: string) => fc.constantFrom(...text);
const headerName = fc
  .oneof(
    fc.string({ unit: characters("abcXYZ019-_.!#$%&'*+^`|~"), minLength: 1, maxLength: 8 }),
    fc.string({ unit: characters('abcXYZ-'), minLength: 1, maxLength: 8 }).map((name) => `X-Amz-${name}`),
  )
  .filter((name) => !RESERVED.test(name) && !UNSIGNED.test(name));
/** Anything that may stand in a header, which is Latin-1; spaces more often than by chance. */
const headerValue = fc.string({
  unit: fc.oneof(
    characters('  \t",;='),
    fc.integer({ min: 0x21, max: 0x7e }).map(String.fromCharCode),
    latin1(),
  ),
  maxLength: 12,
});
function latin1() {
  return fc.integer({ min: 0xa0, max: 0xff }).map((code) => String.fromCharCode(code));
}

const text = fc.string({
  unit: fc.oneof(characters('a%/+&=?#.~ é\u1234'), fc.string({ maxLength: 1 })),
  maxLength: 6,
});
const wellFormed = text.filter((some) => some.isWellFormed());
const parameterName = wellFormed.filter((name) => !/^(x-amz-(algorithm|signature)|__proto__)$/i.test(name));

const unsigned = fc.record({
  method: fc.constantFrom('POST', 'GET', 'PUT', 'DELETE'),
  segments: fc.array(wellFormed, { maxLength: 4 }),
  query: fc.dictionary(
    parameterName,
    fc.oneof(wellFormed, fc.array(wellFormed, { minLength: 1, maxLength: 3 })),
    {
      maxKeys: 4,
    },
  ),
  headers: fc.uniqueArray(fc.tuple(headerName, fc.array(headerValue, { minLength: 1, maxLength: 3 })), {
    selector: ([name]) => name.toLowerCase(),
    maxLength: 5,
  }),
  target: fc.constantFrom('TrentService.Encrypt', 'TrentService.Decrypt'),
  body: fc.oneof(fc.string(), fc.uint8Array()),
  applyChecksum: fc.boolean(),
  order: fc.infiniteStream(fc.nat()),
});
type Unsigned = typeof unsigned extends fc.Arbitrary<infer T> ? T : never;

const FOLD = /^[ \t]+|[ \t]+$/g;

/** Signs, and sends as HTTP does: encoded, every value of a header on its own line, lines in any order. */
async function send(some: Unsigned): Promise<SignedRequest> {
  const { method, segments, query, target, applyChecksum } = some;
  const path = `/${segments.map(encodeURIComponent).join('/')}`;
  const joined = some.headers.map(([name, values]) => [
    name,
    values.map((value) => value.replace(FOLD, '')).join(','),
  ]);
  const headers = { host: 'kms.example:8080', 'X-Amz-Target': target, ...Object.fromEntries(joined) };
  const signed = await sign({ method, path, query, headers, body: some.body }, { applyChecksum });
  const apart = new Map(some.headers.map(([name, values]) => [name, values]));
  const lines = shuffled(Object.entries(signed), some.order).flatMap(([name, value]) =>
    (apart.get(name) ?? [value]).flatMap((each) => [name, each]),
  );
  const pairs = shuffled(Object.entries(query), some.order).flatMap(([name, values]) =>
    [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  );
  const url = pairs.length > 0 ? `${path}?${pairs.join('&')}` : path;
  return { method, url, rawHeaders: lines, body: Buffer.from(some.body) };
}

function shuffled<T>(items: T[], order: Iterator<number>): T[] {
  const keyed = items.map((item) => ({ item, key: Number(order.next().value) }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}

/** The text with one letter or digit, outside percent-encodings, turned into another; undefined if it has none. */
function oneChanged(some: string, where: number, to: string): string | undefined {
  const places = [...some.matchAll(/%[0-9A-F]{2}|[A-Za-z0-9]/g)].filter(([found]) => found.length === 1);
  const place = places[where % Math.max(places.length, 1)];
  if (!place || place[0] === to) return undefined;
  return `${some.slice(0, place.index)}${to}${some.slice(place.index + 1)}`;
}

const refused = async (request: SignedRequest) => {
  expect((await refusal(verify(request))).type).toMatch(/^(Invalid|Incomplete)Signature|UnrecognizedClient/);
};

const RUNS = { numRuns: 500 };

test('what AWS’s library signs is accepted', async () => {
  const property = fc.asyncProperty(unsigned, async (some) => {
    await expect(verify(await send(some))).resolves.toBe(IDENTITY);
  });
  await fc.assert(property, RUNS);
});

describe('a request is refused when one character changes', () => {
  const place = fc.record({ where: fc.nat(), to: characters('abcXYZ0189') });

  it.each(['method', 'url'] as const)('in its %s', async (member) => {
    const property = fc.asyncProperty(unsigned, place, async (some, { where, to }) => {
      // A segment before `..` is not part of the canonical path.
      fc.pre(!some.segments.includes('..'));
      const request = await send(some);
      const changed = oneChanged(request[member], where, to);
      fc.pre(changed !== undefined);
      if (changed !== undefined) await refused({ ...request, [member]: changed });
    });
    await fc.assert(property, RUNS);
  });

  it('in any header that is signed, the signature or its scope', async () => {
    const property = fc.asyncProperty(unsigned, fc.nat(), place, async (some, line, { where, to }) => {
      const request = await send(some);
      const index = (line % (request.rawHeaders.length / 2)) * 2 + 1;
      const changed = oneChanged(String(request.rawHeaders[index]).replaceAll('%', 'p'), where, to);
      fc.pre(changed !== undefined);
      if (changed !== undefined)
        await refused({ ...request, rawHeaders: request.rawHeaders.with(index, changed) });
    });
    await fc.assert(property, RUNS);
  });

  it('in its body', async () => {
    const property = fc.asyncProperty(
      unsigned,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (some, at, flip) => {
        const request = await send(some);
        const body = request.body.length > 0 ? Buffer.from(request.body) : Buffer.alloc(1);
        const index = at % body.length;
        body[index] = (body[index] ?? 0) ^ flip;
        await refused({ ...request, body });
      },
    );
    await fc.assert(property, RUNS);
  });

  it('in the name of a header', async () => {
    const property = fc.asyncProperty(unsigned, fc.nat(), async (some, line) => {
      const request = await send(some);
      const index = (line % (request.rawHeaders.length / 2)) * 2;
      const rawHeaders = request.rawHeaders.with(index, `${request.rawHeaders[index]}x`);
      const error = await refusal(verify({ ...request, rawHeaders }));
      expect(error.type).toMatch(/^(Invalid|Incomplete)Signature|MissingAuthenticationToken/);
    });
    await fc.assert(property, RUNS);
  });
});
