import { once } from 'node:events';
import { Agent } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express, { type Express } from 'express';
import { type Listening, listen } from '../../../src/api/server';
import { StartError } from '../../../src/errors';
import { send } from './support';

function appThatTakes(ms: number): Express {
  const app = express();
  app.get('/slow', async (_request, response) => {
    await sleep(ms, undefined, { ref: false });
    response.end('done');
  });
  app.get('/', (_request, response) => {
    response.end('done');
  });
  return app;
}

async function timed(listening: Listening, timeoutMs?: number): Promise<number> {
  const started = performance.now();
  await listening.close(timeoutMs);
  return performance.now() - started;
}

const connected = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => {});
  });

describe('listen', () => {
  it('takes any free port for 0, and gives the app its own kind of request and response', async () => {
    const app = appThatTakes(0);
    app.get('/express', (request, response) => {
      response.status(201).json({ accepts: request.accepts('json'), same: request.app === app });
    });
    const listening = await listen(app, '127.0.0.1', 0);
    try {
      const { status, body } = await send(listening.port, { path: '/express' });
      expect(status).toBe(201);
      expect(JSON.parse(body)).toEqual({ accepts: 'json', same: true });
    } finally {
      await listening.close();
    }
  });

  it('says in one line that the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const error: unknown = await listen(appThatTakes(0), '127.0.0.1', port).catch((caught) => caught);
      expect(error).toBeInstanceOf(StartError);
      expect((error as StartError).message).toBe(
        `cannot listen on 127.0.0.1 port ${port}: another process has the port; choose another with P11KMS_PORT`,
      );
    } finally {
      other.close();
    }
  });

  it('says in one line that the address is not this machine’s', async () => {
    await expect(listen(appThatTakes(0), '192.0.2.1', 0)).rejects.toThrow(
      'cannot listen on 192.0.2.1 port 0: this machine does not have the address; choose another with P11KMS_HOST',
    );
  });
});

describe('close', () => {
  it('lets running requests finish, tells their clients to go, and accepts no more', async () => {
    const listening = await listen(appThatTakes(200), '127.0.0.1', 0);
    const agent = new Agent({ keepAlive: true });
    const running = send(listening.port, { path: '/slow', agent });
    await sleep(50);
    const closing = timed(listening);
    await expect(send(listening.port, { path: '/' })).rejects.toThrow('ECONNREFUSED');
    const answer = await running;
    expect(answer).toMatchObject({ status: 200, body: 'done', headers: { connection: 'close' } });
    expect(await closing).toBeLessThan(1500);
    agent.destroy();
  });

  it('does not wait for connections that are idle, between requests or since ever', async () => {
    const listening = await listen(appThatTakes(0), '127.0.0.1', 0);
    const agent = new Agent({ keepAlive: true });
    await send(listening.port, { path: '/', agent });
    const silent = await connected(listening.port);
    await sleep(20);
    expect(await timed(listening)).toBeLessThan(1000);
    silent.destroy();
    agent.destroy();
  });

  it('cuts what is left after its time limit', async () => {
    const listening = await listen(appThatTakes(60_000), '127.0.0.1', 0);
    const running = send(listening.port, { path: '/slow' }).catch((error) => error);
    const half = await connected(listening.port);
    half.write('GET / HTT');
    await sleep(50);
    const ms = await timed(listening, 200);
    expect(ms).toBeGreaterThan(150);
    expect(ms).toBeLessThan(1500);
    expect(await running).toMatchObject({ code: 'ECONNRESET' });
  });

  it('answers what runs on a connection, and nothing that is sent after it', async () => {
    const listening = await listen(appThatTakes(200), '127.0.0.1', 0);
    const socket = await connected(listening.port);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const get = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    get('/slow');
    await sleep(50);
    const closing = listening.close();
    get('/');
    await Promise.all([closing, once(socket, 'close')]);
    expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(1);
    expect(text).toMatch(/Connection: close/);
  });
});
