import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { DescribeKeyCommand, EncryptCommand, KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { type SignedRequest, verifySignature } from '../../../../../src/api/trent/sigv4/verify';
import { ACCESS_KEY_ID, finder, IDENTITY, refusal, SCOPE, SECRET } from './support';

const run = promisify(execFile);

/** Real clients, over HTTP, to a server that keeps what comes and answers with nothing. */
let server: Server;
let endpoint: string;
let came: SignedRequest[];
let directory: string;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const { method = '', url = '', rawHeaders } = request;
    came.push({ method, url, rawHeaders, body: await buffer(request) });
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  directory = await mkdtemp(join(tmpdir(), 'p11kms-sigv4-'));
});
beforeEach(() => {
  came = [];
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true });
});

const verify = (request: SignedRequest) => verifySignature(request, SCOPE, finder());

/** The one request that came. */
function only(): SignedRequest {
  const [request, ...others] = came;
  expect(others).toEqual([]);
  if (!request) throw new Error('nothing came');
  return request;
}

const signedNames = ({ rawHeaders }: SignedRequest) =>
  /SignedHeaders=([^,]*)/
    .exec(rawHeaders.find((text) => text.includes('SignedHeaders')) ?? '')?.[1]
    ?.split(';');

describe('the AWS SDK', () => {
  const client = (secretAccessKey = SECRET) =>
    new KMSClient({
      endpoint,
      region: SCOPE.region,
      credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey },
      maxAttempts: 1,
    });

  it.each([
    new EncryptCommand({ KeyId: 'alias/ключ', Plaintext: Buffer.from('text') }),
    new DescribeKeyCommand({ KeyId: 'alias/a' }),
    new ListKeysCommand({}),
  ])('signs so that the request is its user’s', async (command) => {
    const kms = client();
    await kms.send(command as ListKeysCommand);
    kms.destroy();
    await expect(verify(only())).resolves.toBe(IDENTITY);
  });

  it('is refused with another secret', async () => {
    const kms = client(`${SECRET}x`);
    await kms.send(new ListKeysCommand({}));
    kms.destroy();
    expect(await refusal(verify(only()))).toMatchObject({ type: 'InvalidSignatureException' });
  });

  it('has its request refused at another target, with another body, and without its target', async () => {
    const kms = client();
    await kms.send(new ListKeysCommand({}));
    kms.destroy();
    const request = only();
    const replayed = request.rawHeaders.map((text) => text.replace('ListKeys', 'Decrypt'));
    const cut = request.rawHeaders.filter((_text, index, all) => {
      return !/^x-amz-target$/i.test(String(all[index - (index % 2)]));
    });
    const changes = [{ rawHeaders: replayed }, { body: Buffer.from('{"Limit":1}') }, { rawHeaders: cut }];
    for (const change of changes) {
      expect(await refusal(verify({ ...request, ...change }))).toMatchObject({
        type: 'InvalidSignatureException',
      });
    }
  });
});

describe('curl --aws-sigv4', () => {
  /** The secret goes through a file, as docs/signatures.md shows it. */
  async function curl(path: string, more: string[] = [], secret = SECRET): Promise<void> {
    const config = join(directory, 'curl');
    await writeFile(config, `user = "${ACCESS_KEY_ID}:${secret}"\n`, { mode: 0o600 });
    const signing = ['--aws-sigv4', 'aws:amz:us-east-1:kms'];
    const headers = [
      '-H',
      'Content-Type: application/x-amz-json-1.1',
      '-H',
      'X-Amz-Target: TrentService.ListKeys',
    ];
    const options = ['-sS', '-K', config, ...signing, ...headers, ...more];
    await run('curl', [...options, '-d', '{"Limit":10}', `${endpoint}${path}`], { timeout: 20_000 });
  }

  it('signs the host, the content type and every X-Amz header', async () => {
    await curl('/');
    const request = only();
    await expect(verify(request)).resolves.toBe(IDENTITY);
    expect(signedNames(request)).toEqual(['content-type', 'host', 'x-amz-date', 'x-amz-target']);
  });

  it('may send more headers, with odd spaces', async () => {
    await curl('/', ['-H', 'X-Note:   some   "more    words"  ', '-H', 'X-Amz-Meta: a, b']);
    const request = only();
    await expect(verify(request)).resolves.toBe(IDENTITY);
    expect(signedNames(request)).toEqual(expect.arrayContaining(['x-amz-meta', 'x-note']));
  });

  it('is refused with another secret', async () => {
    await curl('/', [], `${SECRET}x`);
    expect(await refusal(verify(only()))).toMatchObject({ type: 'InvalidSignatureException' });
  });
});
