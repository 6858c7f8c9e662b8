import { type SignatureScope, signingKey, verifySignature } from '../../../../../src/api/trent/sigv4/verify';
import { refusal, SECRET } from './support';

/** AWS's published suite signs for a service of this name, and with the secret of the examples. */
const SCOPE = { region: 'us-east-1', service: 'service' } as unknown as SignatureScope;
const NOW = new Date('2015-08-30T12:36:00Z');
const ALL = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM_HASH = '9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e';

interface Vector {
  readonly name: string;
  readonly line: string;
  readonly headers?: readonly [name: string, value: string][];
  readonly body?: string;
  readonly signature: string;
}

/** The header form's requests, with the names that the suite gives them; folded lines are not HTTP/1.1 any more. */
const VECTORS: Vector[] = [
  {
    name: 'get-vanilla',
    line: 'GET /',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'get-relative-relative-normalized',
    line: 'GET /example1/example2/../..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'get-slashes-normalized',
    line: 'GET //example//',
    signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
  },
  {
    name: 'get-slash-pointless-dot-normalized',
    line: 'GET /./example',
    signature: 'ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5',
  },
  {
    name: 'get-space-normalized',
    line: 'GET /example space/',
    signature: '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
  },
  {
    name: 'get-utf8',
    line: 'GET /ሴ',
    signature: '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
  },
  {
    name: 'get-unreserved',
    line: `GET /${ALL}`,
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  {
    name: 'get-vanilla-empty-query-key',
    line: 'GET /?Param1=value1',
    signature: 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  },
  {
    name: 'get-vanilla-query-order-key-case',
    line: 'GET /?Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'get-vanilla-query-order-encoded',
    line: 'GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1',
    signature: '371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac',
  },
  {
    name: 'get-vanilla-query-unreserved',
    line: `GET /?${ALL}=${ALL}`,
    signature: '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  },
  {
    name: 'get-vanilla-utf8-query',
    line: 'GET /?ሴ=bar',
    signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  },
  {
    name: 'get-header-key-duplicate',
    line: 'GET /',
    headers: [
      ['My-Header1', 'value2'],
      ['My-Header1', 'value2'],
      ['My-Header1', 'value1'],
    ],
    signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  },
  {
    name: 'get-header-value-order',
    line: 'GET /',
    headers: [
      ['My-Header1', 'value4'],
      ['My-Header1', 'value1'],
      ['My-Header1', 'value3'],
      ['My-Header1', 'value2'],
    ],
    signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  },
  {
    name: 'get-header-value-trim',
    line: 'GET /',
    headers: [
      ['My-Header1', ' value1'],
      ['My-Header2', ' "a   b   c"'],
    ],
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  {
    name: 'post-vanilla',
    line: 'POST /',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    name: 'post-vanilla-query',
    line: 'POST /?Param1=value1',
    signature: '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  },
  {
    name: 'post-header-key-sort',
    line: 'POST /',
    headers: [['My-Header1', 'value1']],
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  {
    name: 'post-header-value-case',
    line: 'POST /',
    headers: [['My-Header1', 'VALUE1']],
    signature: 'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  },
  {
    name: 'post-x-www-form-urlencoded',
    line: 'POST /',
    headers: [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['Content-Length', '13'],
      ['x-amz-content-sha256', FORM_HASH],
    ],
    body: 'Param1=value1',
    signature: 'd3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b',
  },
];

function verify({ line, headers = [], body = '' }: Vector, signature: string): Promise<string> {
  const sent: [string, string][] = [
    ['Host', 'example.amazonaws.com'],
    ...headers,
    ['X-Amz-Date', '20150830T123600Z'],
  ];
  const names = [...new Set(sent.map(([name]) => name.toLowerCase()))].sort();
  // An access key's id is not part of what is signed, and the suite's is shorter than any.
  const credential = 'AKIDEXAMPLEAKIDEXAMPLE/20150830/us-east-1/service/aws4_request';
  sent.push([
    'Authorization',
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  ]);
  const space = line.indexOf(' ');
  return verifySignature(
    {
      method: line.slice(0, space),
      // node:http hands out bytes as characters.
      url: Buffer.from(line.slice(space + 1)).toString('latin1'),
      rawHeaders: sent.flat(),
      body: Buffer.from(body),
    },
    SCOPE,
    async (_id, date) => ({ signingKey: signingKey(Buffer.from(SECRET), date, SCOPE), identity: 'AWS' }),
    NOW,
  );
}

describe('AWS’s test suite', () => {
  it.each(VECTORS)('$name', async (vector) => {
    await expect(verify(vector, vector.signature)).resolves.toBe('AWS');
    const other = vector.signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    expect(await refusal(verify(vector, other))).toMatchObject({ type: 'InvalidSignatureException' });
  });
});
