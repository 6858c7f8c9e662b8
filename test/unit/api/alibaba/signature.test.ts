import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { ProtocolError } from '../../../../src/api/alibaba/errors';
import { assertSignature, headersOf, stringToSign } from '../../../../src/api/alibaba/signature';
import { HEADERS, METHOD, PATH, type Pairs, raw, signed, toSign, withHeader, without } from './signed';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** The error that a signature is refused with: undefined where it fits. */
function fault(pairs: Pairs, { method = METHOD, url = PATH, key = publicKey } = {}): unknown {
  try {
    const rawHeaders = raw(pairs);
    assertSignature(key, { method, url, rawHeaders }, headersOf(rawHeaders));
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.answer;
  }
}

const NO_MATCH = { status: 401, code: 'SignatureNotMatch', message: 'Signature is not matched.' };

describe('the string to sign', () => {
  it('is the one of the description', () => {
    const rawHeaders = [
      'X-Kms-Signaturemethod',
      'RSA_PKCS1_SHA_256',
      'User-Agent',
      'anything',
      'x-kms-apiname',
      'Encrypt',
      'CONTENT-TYPE',
      'application/x-protobuf',
      'x-kms-acccesskeyid',
      'KAAP.example',
      'X-KMS-ApiVersion',
      'dkms-gcs-0.2',
      'Content-SHA256',
      'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855',
      'Date',
      'Sun, 22 Nov 2026 05:23:50 GMT',
    ];
    expect(stringToSign('POST', headersOf(rawHeaders)).toString('latin1')).toBe(
      'POST\n' +
        'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\n' +
        'application/x-protobuf\n' +
        'Sun, 22 Nov 2026 05:23:50 GMT\n' +
        'x-kms-acccesskeyid:KAAP.example\n' +
        'x-kms-apiname:Encrypt\n' +
        'x-kms-apiversion:dkms-gcs-0.2\n' +
        'x-kms-signaturemethod:RSA_PKCS1_SHA_256\n' +
        '/',
    );
  });

  it('has an empty line for each of the three headers that is not there, and no line for others', () => {
    expect(stringToSign('POST', headersOf(['host', 'a', 'x-kmsapiname', 'b'])).toString()).toBe(
      'POST\n\n\n\n/',
    );
  });

  it('is sorted by code unit, like every SDK does', () => {
    const names = ['x-kms-b', 'x-kms-a-b', 'x-kms-a', 'x-kms-a0', 'x-kms-a_b', 'x-kms-B2'];
    const text = stringToSign('POST', headersOf(names.flatMap((name) => [name, '']))).toString();
    expect(text.split('\n').slice(4, -1)).toEqual([
      'x-kms-a:',
      'x-kms-a-b:',
      'x-kms-a0:',
      'x-kms-a_b:',
      'x-kms-b:',
      'x-kms-b2:',
    ]);
  });

  it('has the bytes that came over the wire, trimmed', async () => {
    let seen: string[] = [];
    const server = createServer((request, response) => {
      seen = request.rawHeaders;
      response.end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n');
    socket.write('X-Kms-Note: \t \xc3\xa9 \t \xff\t \r\ndate:\t\r\n\r\n', 'latin1');
    await new Promise((resolve) => socket.resume().once('close', resolve));
    server.close();
    const note = Buffer.from([0xc3, 0xa9, 0x20, 0x09, 0x20, 0xff]);
    expect(stringToSign('POST', headersOf(seen))).toEqual(
      Buffer.concat([Buffer.from('POST\n\n\n\nx-kms-note:'), note, Buffer.from('\n/')]),
    );
  });
});

describe('a signature', () => {
  it.each(['Bearer', 'TOKEN'])('fits with the scheme %s', (scheme) => {
    expect(fault(signed(privateKey, HEADERS, scheme))).toBeUndefined();
  });

  it('made once by hand fits', () => {
    const text = HEADERS.filter(([name]) => name.toLowerCase().startsWith('x-kms-'));
    const [version, name, method, id] = text.map(([, value]) => value);
    const [type, date, sha256] = HEADERS.slice(2, 5).map(([, value]) => value);
    const all =
      `POST\n${sha256}\n${type}\n${date}\nx-kms-acccesskeyid:${id}\nx-kms-apiname:${name}\n` +
      `x-kms-apiversion:${version}\nx-kms-signaturemethod:${method}\n/`;
    const signature = sign('RSA-SHA256', Buffer.from(all), privateKey).toString('base64');
    expect(fault([...HEADERS, ['authorization', `Bearer ${signature}`]])).toBeUndefined();
  });

  it('does not depend on the order of the headers, nor on their names’ case', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...signed(privateKey)], { minLength: HEADERS.length + 1 }),
        fc.infiniteStream(fc.boolean()),
        (pairs, capitals) => {
          const cased = pairs.map(([name, value]) => [
            [...name].map((c) => (capitals.next().value ? c.toUpperCase() : c.toLowerCase())).join(''),
            value,
          ]);
          expect(fault(cased as unknown as Pairs)).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('covers every header of the caller’s own that begins with x-kms-', () => {
    const pairs = signed(privateKey, [...HEADERS, ['X-Kms-Note', 'caf\u00e9 \u00ff']]);
    expect(fault(pairs)).toBeUndefined();
    expect(fault(without(pairs, 'x-kms-note'))).toEqual(NO_MATCH);
    expect(fault(withHeader(pairs, 'x-kms-note', 'caf\u00e8 \u00ff'))).toEqual(NO_MATCH);
    expect(fault([...pairs, ['x-kms-more', '']])).toEqual(NO_MATCH);
  });

  const covered = HEADERS.map(([name]) => name.toLowerCase()).slice(2);

  it.each(covered)('does not fit where %s is missing', (name) => {
    expect(fault(without(signed(privateKey), name))).toEqual(NO_MATCH);
  });

  it.each([...covered, 'authorization'])('does not fit where any one byte of %s is another', (name) => {
    const pairs = signed(privateKey);
    const value = String(pairs.find(([other]) => other.toLowerCase() === name)?.[1]);
    for (let at = 0; at < value.length; at += 1) {
      const other = value[at] === 'A' ? 'B' : 'A';
      const changed = value.slice(0, at) + other + value.slice(at + 1);
      expect(fault(withHeader(pairs, name, changed))).toEqual(NO_MATCH);
      expect(fault(withHeader(pairs, name, value.slice(0, at) + value.slice(at + 1)))).toEqual(NO_MATCH);
    }
  });

  it.each([...covered, 'authorization'])('does not fit where %s is there twice', (name) => {
    const pairs = signed(privateKey);
    const value = String(pairs.find(([other]) => other.toLowerCase() === name)?.[1]);
    for (const more of [value, '', 'x']) {
      expect(fault([...pairs, [name.toUpperCase(), more]])).toEqual(NO_MATCH);
      expect(fault([[name, more], ...pairs])).toEqual(NO_MATCH);
    }
  });

  it('says nothing of headers that it does not cover', () => {
    expect(fault([...signed(privateKey), ['via', 'a'], ['via', 'b'], ['accept', 'x']])).toBeUndefined();
  });

  it.each(['/?', '/?a=b', '//', '', '/a', '/../', '/%2f', 'http://127.0.0.1/', '*'])(
    'for / does not fit a request for "%s"',
    (url) => {
      expect(fault(signed(privateKey), { url })).toEqual(NO_MATCH);
    },
  );

  it('does not fit another method, nor another key', () => {
    expect(fault(signed(privateKey), { method: 'PUT' })).toEqual(NO_MATCH);
    const { publicKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(fault(signed(privateKey), { key })).toEqual(NO_MATCH);
    const { publicKey: longer } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    expect(fault(signed(privateKey), { key: longer })).toEqual(NO_MATCH);
  });

  it('does not fit with PSS, or with another hash', () => {
    const text = toSign(HEADERS);
    const pss = sign('sha256', text, { key: privateKey, padding: 6 });
    for (const signature of [pss, sign('sha1', text, privateKey), sign('sha512', text, privateKey)]) {
      const authorization = `Bearer ${signature.toString('base64')}`;
      expect(fault([...HEADERS, ['authorization', authorization]])).toEqual(NO_MATCH);
    }
  });

  const good = String(signed(privateKey).at(-1)?.[1]).replace('Bearer ', '');

  it.each([
    ['nothing', ''],
    ['no scheme', good],
    ['no signature', 'Bearer '],
    ['a scheme alone', 'Bearer'],
    ['another scheme', `Basic ${good}`],
    ['a scheme in other capitals', `bearer ${good}`],
    ['two spaces', `Bearer  ${good}`],
    ['base64url', `Bearer ${good.replaceAll('+', '-').replaceAll('/', '_')}-`],
    ['no padding', `Bearer ${good.replace(/=+$/, '')}`],
    ['more padding', `Bearer ${good}=`],
    ['a stray character', `Bearer ${good.slice(0, 9)}!${good.slice(9)}`],
    ['a space inside', `Bearer ${good.slice(0, 9)} ${good.slice(9)}`],
    ['hex', `Bearer ${Buffer.from(good, 'base64').toString('hex')}`],
    ['one byte', 'Bearer AA=='],
    ['a byte less', `Bearer ${Buffer.from(good, 'base64').subarray(1).toString('base64')}`],
    [
      'a byte more',
      `Bearer ${Buffer.concat([Buffer.from(good, 'base64'), Buffer.of(0)]).toString('base64')}`,
    ],
    [
      'a zero byte before',
      `Bearer ${Buffer.concat([Buffer.of(0), Buffer.from(good, 'base64')]).toString('base64')}`,
    ],
    ['zeros', `Bearer ${Buffer.alloc(256).toString('base64')}`],
    ['more than the modulus', `Bearer ${Buffer.alloc(256, 0xff).toString('base64')}`],
  ])('does not fit where the authorization header is %s', (_what, authorization) => {
    expect(fault([...HEADERS, ['authorization', authorization]])).toEqual(NO_MATCH);
  });

  it('that is made up is refused, and never throws anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const authorization = `Bearer ${Buffer.from(bytes).toString('base64')}`;
        expect(fault([...HEADERS, ['authorization', authorization]])).toEqual(NO_MATCH);
      }),
    );
  });
});
