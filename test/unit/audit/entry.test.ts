import * as fc from 'fast-check';
import { type AuditEntry, CONTEXT_BYTES, entryMembers, recordBound } from '../../../src/audit/entry';
import { lineOf, NO_HASH } from '../../../src/audit/lines';
import { entry } from './fixture';

const lineWith = (what: AuditEntry, room: number) =>
  lineOf(Number.MAX_SAFE_INTEGER, NO_HASH, entryMembers(what, room));
const said = (what: AuditEntry, bodyBytes = 1_000) => JSON.parse(lineWith(what, recordBound(bodyBytes)));

/** Any string of UTF-16 units: line breaks, quotes, lone surrogates. */
const anyText = (maxLength: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength }),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength })
      .map((units) => String.fromCharCode(...units)),
    fc.constantFrom('\ud800', '\u0001', '\n', '"', '€', '\u2028').map((unit) => unit.repeat(maxLength)),
  );

const anyEntry = fc.record(
  {
    time: fc.date({ noInvalidDate: true }),
    requestId: anyText(300),
    protocol: fc.constantFrom('trent', 'alibaba', 'cli', 'service'),
    operation: anyText(300),
    outcome: fc.constantFrom('ok', 'refused', 'failed'),
    principal: anyText(1_000),
    accessKeyId: anyText(300),
    source: anyText(300),
    key: anyText(1_000),
    encryptionContext: fc
      .array(fc.tuple(anyText(3_000), anyText(3_000)), { maxLength: 5 })
      .map((pairs) => new Map(pairs)),
    error: anyText(300),
    denied: anyText(1_000),
    wrapping: anyText(300),
    tokenSerial: anyText(300),
    details: fc.dictionary(anyText(100), fc.oneof(anyText(500), fc.integer(), fc.double())),
  },
  { requiredKeys: ['time', 'requestId', 'protocol', 'operation', 'outcome'] },
) as fc.Arbitrary<AuditEntry>;

describe('a record', () => {
  it('is one line of JSON, and never longer than its bound, whatever is in it', () => {
    void fc.assert(
      fc.property(anyEntry, fc.nat({ max: 5_000 }), (what, bodyBytes) => {
        const room = recordBound(bodyBytes);
        const line = lineWith(what, room);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(room);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(JSON.parse(line)).toMatchObject({ type: 'record', outcome: what.outcome });
      }),
      { numRuns: 300 },
    );
  });

  it('has a bound in which all of an encryption context fits that came in a body of that size', () => {
    const shortText = anyText(200);
    void fc.assert(
      fc.property(fc.array(fc.tuple(shortText, shortText), { minLength: 1, maxLength: 8 }), (pairs) => {
        const encryptionContext = new Map(pairs);
        // The densest a protocol can be: two bytes an entry (protobuf), and the text as UTF-8.
        const bytes = [...encryptionContext].reduce((sum, [a, b]) => sum + 2 + Buffer.byteLength(a + b), 0);
        const members = said(entry({ encryptionContext }), bytes);
        const json = Buffer.byteLength(JSON.stringify(Object.fromEntries(encryptionContext)));
        expect(members.encryptionContext !== undefined).toBe(json <= CONTEXT_BYTES);
      }),
    );
  });

  it('says everything that is known, in a fixed order, and leaves out what is not', () => {
    const whole = entry({
      encryptionContext: new Map([
        ['b', '2'],
        ['a', '1'],
      ]),
      error: 'AccessDeniedException',
      denied: 'no policy allows it',
      wrapping: 'gcm',
      tokenSerial: '1',
      details: { count: 3 },
    });
    const names = Object.keys(said(whole));
    expect(names).toEqual([
      ...[
        'seq',
        'prev',
        'type',
        'time',
        'requestId',
        'protocol',
        'principal',
        'accessKeyId',
        'source',
        'operation',
      ],
      ...['key', 'encryptionContext', 'outcome', 'error', 'denied', 'wrapping', 'tokenSerial', 'details'],
    ]);
    expect(said(whole)).toMatchObject({ encryptionContext: { a: '1', b: '2' }, details: { count: 3 } });
    const { time, requestId, operation } = whole;
    const little = said({
      time,
      requestId,
      operation,
      protocol: 'cli',
      outcome: 'ok',
      encryptionContext: new Map(),
    });
    expect(Object.keys(little)).toEqual([
      'seq',
      'prev',
      'type',
      'time',
      'requestId',
      'protocol',
      'operation',
      'outcome',
    ]);
  });

  it('keeps a pair whose name is __proto__', () => {
    const line = lineWith(entry({ encryptionContext: new Map([['__proto__', 'x']]) }), recordBound(100));
    expect(line).toContain('"encryptionContext":{"__proto__":"x"}');
  });

  it('has the digest of a large encryption context, the same in any order of its pairs', () => {
    const pairs: [string, string][] = [
      ['one', 'x'.repeat(10_000)],
      ['two', 'y'.repeat(10_000)],
    ];
    const digests = [pairs, pairs.toReversed()].map(
      (some) => said(entry({ encryptionContext: new Map(some) }), 30_000).encryptionContextDigest,
    );
    expect(digests[0]).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 20_019 });
    expect(digests[1]).toEqual(digests[0]);
  });
});
