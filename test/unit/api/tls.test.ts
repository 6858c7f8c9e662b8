import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import express from 'express';
import { type Listening, type ListenOptions, listen } from '../../../src/api/server';
import { type Certificate, makeCertificate } from '../../support/certificates';

const first = makeCertificate({ cn: 'first', ca: true });
const second = makeCertificate({ cn: 'second', ca: true });
const tlsOf = ({ cert, key }: Certificate) => ({ cert: Buffer.from(cert), key: Buffer.from(key) });

let listening: Listening;
afterEach(() => listening.close(0));

const start = async (limits: ListenOptions['limits'] = {}) => {
  const app = express();
  app.get('/', (request, response) => void response.json({ same: request.app === app }));
  listening = await listen(app, '127.0.0.1', 0, { tls: tlsOf(first), limits });
};

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
});

function agentOf(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: first.cert + second.cert });
  agents.push(agent);
  return agent;
}

/** The body of an answer, and the name in the certificate of the connection on which it came. */
async function get(agent: Agent): Promise<{ body: unknown; cn: unknown }> {
  const request = httpsRequest({ host: '127.0.0.1', port: listening.port, agent }).end();
  const [response] = await once(request, 'response');
  const { cn } = subjectOf(response.socket);
  let text = '';
  for await (const chunk of response) text += chunk;
  return { body: JSON.parse(text), cn };
}

const subjectOf = (socket: TLSSocket) => ({ cn: socket.getPeerCertificate().subject.CN });

/** Bytes as the beginning of a ClientHello has them. */
const HALF_A_HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);

it('gives the app its own kind of request and response', async () => {
  await start();
  expect(await get(agentOf())).toEqual({ body: { same: true }, cn: 'first' });
});

it('takes another certificate for connections that begin, and leaves those that are open', async () => {
  await start();
  const old = agentOf();
  await get(old);
  listening.renewTls(tlsOf(second));
  expect((await get(agentOf())).cn).toBe('second');
  expect((await get(old)).cn).toBe('first');
});

it.each([
  ['does not begin', Buffer.alloc(0)],
  ['does not go on', HALF_A_HELLO],
])('cuts a handshake that %s', async (_what, bytes) => {
  await start({ handshakeMs: 100 });
  const socket = connectTcp({ port: listening.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'end');
  expect(String(Buffer.concat(chunks))).not.toContain('HTTP');
  socket.destroy();
});

it('closes without waiting for handshakes, nor for connections that never sent a request', async () => {
  await start({ handshakeMs: 60_000, headersMs: 60_000 });
  const half = connectTcp(listening.port, '127.0.0.1').on('error', () => undefined);
  half.write(HALF_A_HELLO);
  const silent = connectTcp(listening.port, '127.0.0.1').on('error', () => undefined);
  const shaken = connect({ port: listening.port, host: '127.0.0.1', ca: first.cert });
  shaken.on('error', () => undefined);
  await once(shaken, 'secureConnect');
  await get(agentOf());
  // Longer than the test may take: what it waited for would be seen.
  await listening.close(600_000);
  for (const socket of [half, silent, shaken]) socket.destroy();
});
