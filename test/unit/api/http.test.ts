import { connect } from 'node:net';
import { readiness } from '../../../src/api/health';
import { createApp } from '../../../src/api/http';
import { type Listening, listen } from '../../../src/api/server';
import { KmsError } from '../../../src/errors';
import * as data from '../../../src/kms/data';
import * as keys from '../../../src/kms/keys';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics';
import {
  ADMISSION,
  captureAudit,
  captureLog,
  HEADERS,
  KEY,
  KEY_ID,
  KMS,
  type LogCapture,
  ROOT_ARN,
  send,
  sendTrent,
} from './support';

jest.mock('../../../src/kms/data');
jest.mock('../../../src/kms/keys');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LIMIT = 256 * 1024;

let server: Listening;
let log: LogCapture;
let metrics: Metrics;
let checks: { token: jest.Mock<Promise<void>>; store: jest.Mock<Promise<void>> };

beforeEach(async () => {
  jest.clearAllMocks();
  log = captureLog();
  checks = { token: jest.fn(async () => {}), store: jest.fn(async () => {}) };
  metrics = createMetrics();
  const app = createApp({
    kms: KMS,
    audit: captureAudit().audit,
    admission: ADMISSION,
    tlsTerminated: false,
    logger: log.logger,
    metrics,
    ready: readiness(checks, log.logger),
    loopbackHostOnly: true,
    metricsAt: 'here',
  });
  server = await listen(app, '127.0.0.1', 0);
  jest.mocked(keys.describeKey).mockImplementation(async (_kms, call) => {
    call.keyId = KEY_ID;
    call.tokenMs = 0.5;
    return KEY;
  });
});

afterEach(() => server.close(100));

describe('an answer', () => {
  it('carries its type, its length, a request id, and may not be kept', async () => {
    const { status, headers, body } = await sendTrent(server.port, 'DescribeKey', { KeyId: 'k' });
    expect(status).toBe(200);
    expect(JSON.parse(body).KeyMetadata.KeyId).toBe(KEY_ID);
    expect(headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      'x-amzn-requestid': expect.stringMatching(UUID),
      date: expect.any(String),
    });
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag');
  });

  it('can be empty', async () => {
    expect(await sendTrent(server.port, 'EnableKey', { KeyId: 'k' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '0', 'x-amzn-requestid': expect.stringMatching(UUID) },
    });
  });

  it('to a bad request names the error', async () => {
    const { status, body } = await sendTrent(server.port, 'DescribeKey', {});
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ __type: 'ValidationException' });
  });

  it.each([
    ['GET', '/nowhere', 404],
    ['POST', '/healthz/x', 404],
    ['GET', '/', 405],
    ['PUT', '/', 405],
    ['OPTIONS', '/', 405],
    ['POST', '/metrics', 405],
    ['DELETE', '/readyz', 405],
    ['GET', '/%', 404],
    ['GET', '/healthz', 200],
    ['HEAD', '/healthz', 200],
    ['GET', '/metrics', 200],
  ])('to %s %s is %i and has a request id', async (method, path, status) => {
    const answer = await send(server.port, { method, path });
    expect(answer.status).toBe(status);
    expect(answer.headers['x-amzn-requestid']).toMatch(UUID);
    expect(answer.headers.allow !== undefined).toBe(status === 405);
  });

  it('to what nobody foresaw shows nothing of it', async () => {
    jest.spyOn(metrics.registry, 'metrics').mockRejectedValue(new Error('unforeseen'));
    const { status, headers, body } = await send(server.port, { path: '/metrics' });
    expect({ status, body }).toEqual({ status: 500, body: 'Internal error\n' });
    expect(log.lines()).toMatchObject([
      { level: 'error', requestId: headers['x-amzn-requestid'], error: { message: 'unforeseen' } },
    ]);
  });

  it.each([
    ['to what is no HTTP', 'hello\r\n\r\n', 400],
    ['to a request without a Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 421],
    [
      'to an unknown expectation',
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nConnection: close\r\n\r\n',
      417,
    ],
  ])('%s has a request id', async (_what, request, status) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.end(request);
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/x-amzn-RequestId: [0-9a-f-]{36}\r\n/);
  });

  it.each([
    ['evil.example', 421],
    ['evil.example:8080', 421],
    ['127.0.0.1.evil.example', 421],
    ['10.0.0.1', 421],
    ['localhost', 200],
    ['LOCALHOST:8080', 200],
    ['127.0.0.1:8080', 200],
    ['[::1]:8080', 200],
  ])(
    'to a request that names host %s is %i, because names can be made to point here',
    async (host, status) => {
      expect(await send(server.port, { path: '/healthz', headers: { host } })).toMatchObject({ status });
    },
  );
});

describe('a body', () => {
  const bodyOf = (length: number) => {
    const start = '{"KeyId":"k","Padding":"';
    return `${start}${'x'.repeat(length - start.length - 2)}"}`;
  };

  it('may be 256 KiB long', async () => {
    const answer = await sendTrent(server.port, 'DescribeKey', Buffer.from(bodyOf(LIMIT)));
    expect(answer.status).toBe(200);
  });

  it.each([
    ['a length', {}],
    ['chunks', { 'transfer-encoding': 'chunked' }],
  ])('with %s, may not be longer, and the connection stays usable', async (_how, headers) => {
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const options = { agent, headers };
      const answer = await sendTrent(server.port, 'DescribeKey', Buffer.from(bodyOf(LIMIT + 1)), options);
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body)).toMatchObject({ __type: 'RequestEntityTooLargeException' });
      const longer = await sendTrent(server.port, 'DescribeKey', Buffer.from(bodyOf(LIMIT * 8)), options);
      expect(longer.status).toBe(413);
      expect((await sendTrent(server.port, 'DescribeKey', { KeyId: 'k' }, { agent })).status).toBe(200);
    } finally {
      agent.destroy();
    }
  });

  it('that ends early is no request', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.DescribeKey\r\nContent-Length: 9\r\n\r\n{"`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    while (log.text() === '') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(log.lines()).toMatchObject([{ level: 'info', outcome: 'aborted', operation: 'DescribeKey' }]);
    expect(keys.describeKey).not.toHaveBeenCalled();
  });
});

describe('the log', () => {
  it('has one line for a request', async () => {
    const { headers } = await sendTrent(server.port, 'DescribeKey', { KeyId: 'alias/a' });
    expect(log.lines()).toEqual([
      {
        timestamp: expect.any(String),
        level: 'info',
        message: 'request',
        requestId: headers['x-amzn-requestid'],
        operation: 'DescribeKey',
        principal: ROOT_ARN,
        keyId: KEY_ID,
        outcome: 'ok',
        status: 200,
        durationMs: expect.any(Number),
        tokenMs: 0.5,
      },
    ]);
  });

  it('has the cause where the fault is ours, and the client has its request id', async () => {
    const cause = Object.assign(new Error('C_Encrypt'), { code: 48 });
    jest.mocked(data.encrypt).mockRejectedValueOnce(new KmsError('KEY_UNAVAILABLE', 'words', { cause }));
    const request = { KeyId: 'k', Plaintext: 'AAAA' };
    const answer = await sendTrent(server.port, 'Encrypt', request);
    expect(answer).toMatchObject({ status: 500 });
    expect(JSON.parse(answer.body)).toEqual({ __type: 'KeyUnavailableException', message: 'words' });

    jest.mocked(data.encrypt).mockRejectedValueOnce(new TypeError('unforeseen'));
    const internal = await sendTrent(server.port, 'Encrypt', request);
    expect(internal.body).toContain(internal.headers['x-amzn-requestid']);
    expect(internal.body).not.toContain('unforeseen');

    expect(log.lines()).toMatchObject([
      {
        level: 'error',
        outcome: 'KeyUnavailableException',
        error: { message: 'words', cause: { code: 48, message: 'C_Encrypt' } },
      },
      {
        level: 'error',
        outcome: 'KMSInternalException',
        requestId: internal.headers['x-amzn-requestid'],
        error: { name: 'TypeError', message: 'unforeseen' },
      },
    ]);
  });

  it('has nothing of what was sent or answered', async () => {
    const secret = Buffer.from('the plaintext of it all');
    const requests: [string, object][] = [
      [
        'Encrypt',
        { KeyId: 'k', Plaintext: secret.toString('base64'), EncryptionContext: { a: 'context-value' } },
      ],
      ['Decrypt', { CiphertextBlob: 'Y2lwaGVydGV4dA==', EncryptionContext: { a: 'context-value' } }],
      ['Decrypt', { CiphertextBlob: 'Y2lwaGVydGV4dA==', EncryptionContext: { a: 'context-value', b: 5 } }],
      ['Encrypt', { KeyId: '', Plaintext: secret.toString('base64'), GrantTokens: ['a-grant-token', ''] }],
    ];
    jest.mocked(data.encrypt).mockRejectedValue(new Error('failed'));
    jest
      .mocked(data.decrypt)
      .mockImplementation(async () => ({ key: KEY, version: KEY.current, plaintext: Buffer.from(secret) }));
    for (const [operation, request] of requests) await sendTrent(server.port, operation, request);
    await sendTrent(server.port, 'Encrypt', Buffer.from(`{"Plaintext":"${secret.toString('base64')}"`));
    expect(log.lines()).toHaveLength(5);
    for (const word of [secret.toString('base64'), 'Y2lwaGVydGV4dA', 'context-value', 'a-grant-token']) {
      expect(log.text()).not.toContain(word);
    }
  });
});

describe('/metrics', () => {
  it('counts requests by operation and outcome, whatever a client calls them', async () => {
    await sendTrent(server.port, 'DescribeKey', { KeyId: 'k' });
    await sendTrent(server.port, 'DescribeKey', {});
    await sendTrent(server.port, 'Nonsense', {});
    const { headers, body } = await send(server.port, { path: '/metrics' });
    expect(headers['content-type']).toContain('text/plain');
    expect(body).toContain('p11kms_requests_total{protocol="trent",operation="DescribeKey",outcome="ok"} 1');
    expect(body).toContain('p11kms_requests_total{protocol="trent",operation="DescribeKey",outcome="ValidationException"} 1');
    expect(body).toContain(
      'p11kms_requests_total{protocol="trent",operation="unknown",outcome="UnknownOperationException"} 1',
    );
    expect(body).toContain('p11kms_request_duration_seconds_count{protocol="trent",operation="DescribeKey"} 2');
    expect(body).not.toContain('Nonsense');
  });
});

describe('/readyz', () => {
  it('says which part does not answer', async () => {
    expect(await send(server.port, { path: '/readyz' })).toMatchObject({ status: 200 });
    checks.token.mockRejectedValue(new Error('CKR_TOKEN_NOT_PRESENT'));
    const { status, body } = await send(server.port, { path: '/readyz' });
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      status: 'unavailable',
      parts: { token: 'unavailable', store: 'ok' },
    });
    expect((await send(server.port, { path: '/healthz' })).status).toBe(200);
  });
});

it('takes a target whose header is sent twice for none', async () => {
  const answer = await send(
    server.port,
    {
      method: 'POST',
      headers: { ...HEADERS, 'x-amz-target': ['TrentService.EnableKey', 'TrentService.DisableKey'] },
    },
    '{"KeyId":"k"}',
  );
  expect(JSON.parse(answer.body)).toMatchObject({ __type: 'UnknownOperationException' });
});
