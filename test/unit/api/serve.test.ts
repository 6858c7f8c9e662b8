import { once } from 'node:events';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditedProtocol } from '../../../src/api/audited';
import type { RequestHead } from '../../../src/api/protocol';
import { serve } from '../../../src/api/serve';
import { createMetrics } from '../../../src/telemetry/metrics';
import { captureLog, SOURCE } from './support';

/** What each request was told when it asked for room for a long body. */
const told: boolean[] = [];

/** Asks for room only when the client has gone, where the request says so. */
async function bodyLimit(head: RequestHead): Promise<number> {
  if (head.headers['x-late'] !== undefined) {
    while (!head.isGone()) await new Promise((resolve) => setImmediate(resolve));
  }
  told.push(head.takeLongBody());
  return 1_000;
}

const record = { operation: 'Any', outcome: 'ok', tokenMs: 0 };
const answer = { status: 200, contentType: 'text/plain', body: 'ok', record };
const protocol: AuditedProtocol = {
  name: 'alibaba',
  bodyLimit,
  answer: async () => answer,
  operationOf: () => 'Any',
  refuse: () => answer,
  lost: async () => undefined,
};

const telemetry = { logger: captureLog().logger, metrics: createMetrics() };
const server = createServer(
  serve(
    () => protocol,
    telemetry,
    () => SOURCE,
  ) as unknown as RequestListener,
);
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

const post = (headers: Record<string, string | number> = {}) =>
  httpRequest({ port: (server.address() as AddressInfo).port, method: 'POST', headers, agent: false });

async function whole(): Promise<void> {
  const [response] = await once(post().end('body'), 'response');
  await once(response.resume(), 'end');
}

async function abandoned(): Promise<void> {
  const before = told.length;
  const client = post({ 'content-length': 1_000, 'x-late': 'yes' });
  client.on('error', () => undefined);
  client.flushHeaders();
  const [incoming] = await once(server, 'request');
  client.destroy();
  await new Promise((resolve) => incoming.once('close', resolve));
  while (told.length === before) await new Promise((resolve) => setImmediate(resolve));
}

beforeEach(() => {
  told.length = 0;
});

describe('room for long bodies', () => {
  it('is given back by every request that is answered', async () => {
    for (let count = 0; count < 40; count++) await whole();
    expect(told).toEqual(Array(40).fill(true));
  });

  it('is not had by a request whose client is gone: nobody would give it back', async () => {
    for (let count = 0; count < 40; count++) await abandoned();
    expect(told).toEqual(Array(40).fill(false));
    await whole();
    expect(told.at(-1)).toBe(true);
  });
});
