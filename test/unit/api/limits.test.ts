import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import express, { type Express } from 'express';
import { readBody } from '../../../src/api/body';
import { type Listening, type ListenOptions, listen } from '../../../src/api/server';
import { makeCertificate } from '../../support/certificates';

const BODY_LIMIT = 1024;
const authority = makeCertificate({ cn: 'localhost', ca: true });
const TLS = { cert: Buffer.from(authority.cert), key: Buffer.from(authority.key) };
const SHORT = { handshakeMs: 200, headersMs: 200, requestMs: 400, checkMs: 50 };
const LONG = { handshakeMs: 60_000, headersMs: 60_000, requestMs: 60_000, checkMs: 50 };

let listening: Listening;
afterEach(() => listening?.close(0));

/** What the app has got of bodies, and whether it was told of their end. */
let bodies: (number | 'too long' | 'aborted')[];
beforeEach(() => {
  bodies = [];
});

function bodyApp(): Express {
  const app = express();
  app.post('/', async (request, response) => {
    try {
      const body = await readBody(request, BODY_LIMIT);
      bodies.push(body?.length ?? 'too long');
      response.status(body ? 200 : 413).end(String(body?.length));
    } catch {
      bodies.push('aborted');
    }
  });
  // Whoever asks for this waits for ever.
  app.get('/never', () => undefined);
  app.all('/', (_request, response) => {
    response.status(405).end();
  });
  return app;
}

const start = async (options: ListenOptions) => {
  listening = await listen(bodyApp(), '127.0.0.1', 0, options);
};

/** A client that never closes its half of the connection by itself. */
interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  /** Resolves when the service has cut the connection, as it must: nobody else will. */
  readonly cut: Promise<unknown>;
}

const WAYS: [string, ListenOptions, (port: number) => Socket][] = [
  ['HTTP', {}, (port) => connect({ port, host: '127.0.0.1', allowHalfOpen: true })],
  ['HTTPS', { tls: TLS }, (port) => connectTls({ port, host: '127.0.0.1', ca: authority.cert })],
];

function clientOf(socket: Socket): Client {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  const cut = new Promise((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
  });
  return { socket, text: () => text, cut };
}

/** Resolves when the service has no connection any more. */
async function emptied(): Promise<void> {
  await listening.close(60_000);
}

describe.each(WAYS)('over %s', (_name, options, open) => {
  const connected = () => clientOf(open(listening.port));

  it('a client that never sends a request is cut', async () => {
    await start({ ...options, limits: SHORT });
    const { cut, text } = connected();
    await cut;
    expect(text()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  it('headers that come too slowly are cut, though they never stop coming', async () => {
    await start({ ...options, limits: { ...LONG, headersMs: 200 } });
    const { socket, cut, text } = connected();
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\n');
    const dripping = setInterval(() => socket.write('x: y\r\n'), 20);
    await cut;
    clearInterval(dripping);
    expect(text()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\nx-amzn-RequestId: /);
    expect(bodies).toEqual([]);
  });

  it('a body that comes too slowly is cut, though it never stops coming', async () => {
    await start({ ...options, limits: { ...LONG, headersMs: 200, requestMs: 300 } });
    const { socket, cut, text } = connected();
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n');
    const dripping = setInterval(() => socket.write('x'), 20);
    await cut;
    clearInterval(dripping);
    expect(text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('a client that does not read its answer, or gets none, is cut once nothing moves', async () => {
    await start({ ...options, limits: { ...LONG, idleMs: 200 } });
    const { socket, cut } = connected();
    socket.write('GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await cut;
  });

  it("a client that keeps its half of the connection open does not keep the service's", async () => {
    await start({ ...options, limits: LONG });
    const { socket, cut, text } = connected();
    socket.write('no request at all\r\n\r\n');
    await cut;
    expect(text()).toMatch(/^HTTP\/1\.1 400 /);
    await emptied();
  });

  it('headers may be 16 KiB long, and no longer', async () => {
    await start({ ...options, limits: LONG });
    const headers = (bytes: number) =>
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`;
    const short = connected();
    short.socket.write(headers(15_000));
    await short.cut;
    expect(short.text()).toMatch(/^HTTP\/1\.1 405 /);
    const long = connected();
    long.socket.write(headers(17_000));
    await long.cut;
    expect(long.text()).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('a body is refused by its Content-Length, before any of it is there', async () => {
    await start({ ...options, limits: LONG });
    const { socket, text } = connected();
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1025\r\n\r\n');
    await once(socket, 'data');
    expect(text()).toMatch(/^HTTP\/1\.1 413 /);
    expect(bodies).toEqual(['too long']);
    socket.destroy();
  });

  it.each([
    ['a length', `Content-Length: ${2 ** 30}\r\n\r\n`],
    ['chunks', `Transfer-Encoding: chunked\r\n\r\n${(2 ** 30).toString(16)}\r\n`],
  ])('a client that never stops sending a body with %s is answered, and cut', async (_how, header) => {
    await start({ ...options, limits: LONG });
    const { socket, cut, text } = connected();
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${header}`);
    const chunk = Buffer.alloc(1024, 'x');
    const pump = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', pump);
    pump();
    await once(socket, 'data');
    expect(text()).toMatch(/^HTTP\/1\.1 413 /);
    await cut;
    await emptied();
    expect(bodies).toEqual(['too long']);
  });

  it('answers requests that come before the answers to those before them, in their order', async () => {
    await start({ ...options, limits: LONG });
    const { socket, text } = connected();
    const lengths = [5, 0, 1000, 7];
    socket.write(
      lengths
        .map(
          (length) =>
            `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`,
        )
        .join(''),
    );
    while (text().match(/HTTP\/1\.1/g)?.length !== lengths.length) await once(socket, 'data');
    expect(text().match(/(?<=\r\n\r\n)\d+/g)).toEqual(lengths.map(String));
    socket.destroy();
  });

  it.each([
    ['CONNECT', 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n', ''],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'HTTP/1.1 405 '],
    [
      'an upgrade',
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n',
      'HTTP/1.1 405 ',
    ],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'HTTP/1.1 400 '],
  ])('refuses %s', async (_what, request, answer) => {
    await start({ ...options, limits: LONG });
    const { socket, cut, text } = connected();
    socket.write(request);
    await cut;
    expect(text().slice(0, 13)).toBe(answer);
  });

  it('closes at once what is one connection too many, and counts it', async () => {
    let dropped = 0;
    const onDropped = () => {
      dropped += 1;
    };
    await start({ ...options, limits: LONG, maxConnections: 2, onDropped });
    const held = [connected(), connected()];
    const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const { socket } of held) {
      socket.write(request);
      await once(socket, 'data');
    }
    const third = connected();
    await third.cut;
    expect(third.text()).toBe('');
    expect(dropped).toBe(1);
    held[0]?.socket.destroy();
    let text = '';
    while (text === '') {
      const next = connected();
      next.socket.write(request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      await next.cut;
      text = next.text();
    }
    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    held[1]?.socket.destroy();
  });
});
