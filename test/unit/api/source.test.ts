import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { Socket } from 'node:net';
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls';
import express from 'express';
import { type Listening, listen } from '../../../src/api/server';
import { sourceOf } from '../../../src/api/source';
import { type Certificate, makeCertificate } from '../../support/certificates';
import { send } from './support';

const authority = makeCertificate({ cn: 'Example Root', ca: true });
const server = makeCertificate({ cn: 'localhost', issuer: authority, use: 'server' });
const client = makeCertificate({ cn: 'payments', o: 'Example', issuer: authority, use: 'client' });
const stranger = makeCertificate({ cn: 'payments', o: 'Example' });
const expired = makeCertificate({ cn: 'payments', issuer: authority, fromDays: -2, toDays: -1 });
const ofServer = makeCertificate({ cn: 'payments', issuer: authority, use: 'server' });

const tlsOf = (clientCa?: Certificate) => ({
  cert: Buffer.from(server.cert),
  key: Buffer.from(server.key),
  ...(clientCa && { clientCa: Buffer.from(clientCa.cert) }),
});

/** An app that answers with what is known of the request's connection. */
function teller(tlsTerminated = false) {
  const app = express();
  app.get('/', (request, response) => {
    const source = sourceOf(request, { tlsTerminated });
    const again = sourceOf(request, { tlsTerminated });
    const { socket } = request;
    const resumed = socket instanceof TLSSocket && socket.isSessionReused();
    response.json({ source, isCached: source === again, resumed });
  });
  return app;
}

interface Told {
  readonly source: { readonly address: string; readonly secure: boolean; readonly certificate?: object };
  readonly isCached: boolean;
  readonly resumed: boolean;
}

/** One request over a TLS connection of its own, and the session to resume it with. */
async function ask(port: number, options: ConnectionOptions): Promise<{ told: Told; session: Buffer }> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.cert,
    ...options,
  });
  let session: Buffer = Buffer.alloc(0);
  socket.on('session', (given: Buffer) => {
    session = given;
  });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await once(socket, 'close');
  return { told: JSON.parse(text.slice(text.indexOf('\r\n\r\n'))), session };
}

let listening: Listening;
afterEach(() => listening.close(0));

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const only = (version: (typeof VERSIONS)[number]) => ({ minVersion: version, maxVersion: version });
const certified = ({ cert, key }: Certificate) => ({ cert, key });

describe('over plain HTTP', () => {
  it.each([
    [false, false],
    [true, true],
  ])('with P11KMS_TLS_TERMINATED=%s a request is secure: %s', async (tlsTerminated, secure) => {
    listening = await listen(teller(tlsTerminated), '127.0.0.1', 0);
    const { body } = await send(listening.port, {});
    expect(JSON.parse(body)).toEqual({
      source: { address: '127.0.0.1', secure },
      isCached: true,
      resumed: false,
    });
  });

  it('on a socket of both families an IPv4 address is one', async () => {
    listening = await listen(teller(), '::', 0);
    expect(JSON.parse((await send(listening.port, {})).body).source.address).toBe('127.0.0.1');
    expect(JSON.parse((await send(listening.port, { host: '::1' })).body).source.address).toBe('::1');
  });

  it('has no address where the peer is gone', () => {
    expect(sourceOf(new IncomingMessage(new Socket()), { tlsTerminated: false })).toEqual({ secure: false });
  });
});

describe.each(VERSIONS)('over %s', (version) => {
  it('a request is secure, and nobody asks for a certificate without authorities', async () => {
    listening = await listen(teller(), '127.0.0.1', 0, { tls: tlsOf() });
    const { told } = await ask(listening.port, { ...only(version), ...certified(client) });
    expect(told.source).toEqual({ address: '127.0.0.1', secure: true });
  });

  describe('with authorities of client certificates', () => {
    beforeEach(async () => {
      listening = await listen(teller(), '127.0.0.1', 0, { tls: tlsOf(authority) });
    });

    it.each<[string, Certificate | undefined, object | undefined]>([
      ['none', undefined, undefined],
      ['one of an authority', client, { subject: 'O=Example\nCN=payments', authorized: true }],
      [
        "a stranger's",
        stranger,
        { subject: 'O=Example\nCN=payments', authorized: false, fault: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      ],
      ['an expired one', expired, { subject: 'CN=payments', authorized: false, fault: 'CERT_HAS_EXPIRED' }],
      ['one for servers', ofServer, { subject: 'CN=payments', authorized: false, fault: 'INVALID_PURPOSE' }],
    ])('tells of a certificate: %s; also when the session is resumed', async (_what, given, certificate) => {
      const options = { ...only(version), ...(given && certified(given)) };
      const source = { address: '127.0.0.1', secure: true, ...(certificate && { certificate }) };
      const first = await ask(listening.port, options);
      expect(first.told).toEqual({ source, isCached: true, resumed: false });
      const second = await ask(listening.port, { ...options, session: first.session });
      expect(second.told).toEqual({ source, isCached: true, resumed: true });
    });

    it('no longer takes a certificate that expires while its connection is open', async () => {
      const agent = new Agent({
        keepAlive: true,
        ca: authority.cert,
        ...only(version),
        ...certified(client),
      });
      const get = async () => {
        const request = httpsRequest({ host: '127.0.0.1', port: listening.port, agent }).end();
        const [response] = await once(request, 'response');
        let text = '';
        for await (const chunk of response) text += chunk;
        return JSON.parse(text).source.certificate;
      };
      const subject = 'O=Example\nCN=payments';
      expect(await get()).toEqual({ subject, authorized: true });
      const later = Date.now() + 91 * 86_400_000;
      const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
      try {
        const fault = 'CERT_HAS_EXPIRED';
        expect(await get()).toEqual({ subject, authorized: false, fault });
        expect(await get()).toEqual({ subject, authorized: false, fault });
        expect(Object.values(agent.freeSockets)).toHaveLength(1);
      } finally {
        clock.mockRestore();
        agent.destroy();
      }
    });

    it('forgets sessions that began under other authorities', async () => {
      const options = { ...only(version), ...certified(client) };
      const first = await ask(listening.port, options);
      listening.renewTls(tlsOf(stranger));
      const second = await ask(listening.port, { ...options, session: first.session });
      expect(second.told).toMatchObject({
        source: { certificate: { authorized: false } },
        resumed: false,
      });
    });
  });
});
