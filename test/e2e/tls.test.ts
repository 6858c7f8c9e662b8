import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import {
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { atEnd } from '../support/at-end';
import { type Certificate, certificateDirectory, makeCertificate } from '../support/certificates';
import { refusalOf } from '../support/kms-client';
import { metric } from '../support/metrics';
import { p11kms, type Server, startServer } from '../support/server';
import { createSite, type Site } from '../support/site';

const authority = makeCertificate({ cn: 'Example Root', ca: true });
const issue = (cn: string) => makeCertificate({ cn, o: 'Example', issuer: authority });
const fingerprint = ({ cert }: Certificate) => new X509Certificate(cert).fingerprint256;

const files = certificateDirectory();
const certificate = issue('kms.example');

let site: Site;
let server: Server;
let port: number;
let metricsUrl: string;
/** What a client sees that begins a request and never ends it. */
let slow: Promise<string>;

beforeAll(async () => {
  site = createSite();
  const { certFile, keyFile } = files.put('server', certificate);
  server = await startServer(site, {
    P11KMS_HOST: '0.0.0.0',
    P11KMS_TLS_CERT_FILE: certFile,
    P11KMS_TLS_KEY_FILE: keyFile,
    P11KMS_TLS_CLIENT_CA_FILE: files.write('clients.crt', authority.cert),
    P11KMS_METRICS_PORT: '0',
  });
  port = Number(new URL(server.url).port);
  metricsUrl = String(server.log().find(({ message }) => message === 'p11kms is ready')?.metricsUrl);
  slow = textOf(secure(), 'POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  // It is looked at in the last test: until then a failure is nobody's.
  slow.catch(() => undefined);
});

/** A TLS connection of its own. */
function secure(options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  atEnd(() => void socket.destroy());
  return socket;
}

/** What comes back until the connection ends, which only the service does. */
async function textOf(socket: TLSSocket, sent: string): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(sent);
  await once(socket, 'close');
  return text;
}

function agentOf(options: ConnectionOptions = {}): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert, ...options });
  atEnd(() => agent.destroy());
  return agent;
}

function kmsOver(httpsAgent: Agent, credentials = server.credentials): KMSClient {
  const client = new KMSClient({
    endpoint: `https://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent },
  });
  atEnd(() => client.destroy());
  return client;
}

/** Status and text of an unsigned request. */
async function unsigned(agent: Agent, method: string, path: string, headers = {}, body = '') {
  const request = httpsRequest({ host: '127.0.0.1', port, agent, method, path, headers });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, text };
}

const listKeys = (agent: Agent) =>
  unsigned(
    agent,
    'POST',
    '/',
    { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' },
    '{}',
  );

/** How a handshake fails. */
const failureOf = async (options: ConnectionOptions): Promise<unknown> => {
  const [error] = await once(secure(options), 'error');
  return error.code;
};

it('serves the AWS SDK, on an address that others reach', async () => {
  expect(server.url).toBe(`https://0.0.0.0:${port}`);
  const client = kmsOver(agentOf());
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId: KeyMetadata?.KeyId, Plaintext: Buffer.from('over TLS') }),
  );
  const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
  expect(Buffer.from(Plaintext ?? []).toString()).toBe('over TLS');
});

it('is not believed by a client that does not know its authority', async () => {
  const client = kmsOver(agentOf({ ca: makeCertificate({ cn: 'Example Root', ca: true }).cert }));
  await expect(client.send(new ListKeysCommand({}))).rejects.toThrow(/certificate/);
});

it.each<[string, ConnectionOptions, string]>([
  [
    'TLS 1.1',
    { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  ],
  [
    'TLS 1.2 without authenticated encryption',
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' },
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  ],
])('refuses %s', async (_what, options, code) => {
  expect(await failureOf(options)).toBe(code);
});

it('cuts plain HTTP off, and logs nothing of it', async () => {
  const lines = server.log().length;
  for (let i = 0; i < 20; i++) {
    const socket = connectTcp(port, '127.0.0.1').on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let bytes = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      bytes += chunk;
    });
    await once(socket, 'close');
    expect(bytes).not.toContain('HTTP/1.1');
  }
  expect((await unsigned(agentOf(), 'GET', '/healthz')).status).toBe(200);
  expect(server.log()).toHaveLength(lines);
});

it('has its metrics on the other address only, with health beside them', async () => {
  expect((await unsigned(agentOf(), 'GET', '/metrics')).status).toBe(404);
  expect(metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(await metric({ url: metricsUrl }, 'p11kms_connections_dropped_total')).toBe(0);
  for (const path of ['/healthz', '/readyz']) {
    expect((await fetch(metricsUrl + path)).status).toBe(200);
    expect((await unsigned(agentOf(), 'GET', path)).status).toBe(200);
  }
  expect((await fetch(metricsUrl, { method: 'POST', body: '{}' })).status).toBe(404);
});

describe('a client certificate', () => {
  const payments = issue('payments');

  beforeAll(async () => {
    const created = await p11kms(
      [
        'principals',
        'create',
        'payments',
        '--certificate-subject',
        'CN=payments,O=Example',
        '--no-access-key',
      ],
      site,
    );
    expect({ code: created.code, stderr: created.stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('stands for its principal', async () => {
    const { status, text } = await listKeys(agentOf(payments));
    expect(status).toBe(400);
    expect(JSON.parse(text).__type).toBe('AccessDeniedException');
    expect(JSON.parse(text).message ?? JSON.parse(text).Message).toContain(':user/payments ');
  });

  it.each([
    ['of a principal that there is not', () => agentOf(issue('stranger'))],
    [
      'of an authority that is not known',
      () => agentOf({ ...makeCertificate({ cn: 'payments', o: 'Example' }), ca: authority.cert }),
    ],
  ])('%s is refused', async (_what, agent) => {
    expect(JSON.parse((await listKeys(agent())).text).__type).toBe('UnrecognizedClientException');
  });

  it('and a signature must be of the same principal', async () => {
    const call = kmsOver(agentOf(payments)).send(new ListKeysCommand({}));
    expect((await refusalOf(call)).name).toBe('UnrecognizedClientException');
  });

  it('may be missing, and then the signature counts; one of both is needed', async () => {
    await expect(kmsOver(agentOf()).send(new ListKeysCommand({}))).resolves.toHaveProperty('Keys');
    expect(JSON.parse((await listKeys(agentOf())).text).__type).toBe('MissingAuthenticationTokenException');
  });
});

describe('SIGHUP', () => {
  const logged = (message: string) => server.log().filter((line) => line.message === message);
  const hangUp = () => process.kill(server.pid, 'SIGHUP');
  /** The certificate that a new connection gets. */
  const served = async (): Promise<string> => {
    const socket = secure();
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const healthy = async (agent: Agent) => (await unsigned(agent, 'GET', '/healthz')).status;

  it('takes another certificate for new connections, while an old one goes on', async () => {
    const agent = agentOf();
    expect(await healthy(agent)).toBe(200);
    const [[old]] = Object.values(agent.freeSockets) as [[TLSSocket]];
    const next = makeCertificate({ cn: 'next.example', issuer: authority, toDays: 5 });
    files.put('server', next);
    expect(await served()).toBe(fingerprint(certificate));
    hangUp();
    const line = await server.logged(({ message }) => message === 'TLS certificate reloaded');
    expect(line).toMatchObject({
      level: 'info',
      subject: 'CN=next.example',
      fingerprint: fingerprint(next),
      notAfter: new Date(new X509Certificate(next.cert).validTo).toISOString(),
    });
    expect(await served()).toBe(fingerprint(next));
    expect(await healthy(agent)).toBe(200);
    expect(Object.values(agent.freeSockets)).toEqual([[old]]);
    expect(server.log().find(({ level }) => level === 'warn')?.message).toMatch(/expires on/);
  });

  it('keeps the certificate that there is, where the new one will not do, and says why', async () => {
    const before = await served();
    files.write('server.crt', issue('other.example').cert);
    hangUp();
    const line = await server.logged(({ level }) => level === 'error');
    expect(line).toMatchObject({
      message: 'the TLS certificate stays as it was',
      error: {
        message: 'P11KMS_TLS_KEY_FILE names a file that holds another key than that of P11KMS_TLS_CERT_FILE',
      },
    });
    expect(await served()).toBe(before);
    files.put('server', certificate);
    hangUp();
    await server.logged(() => logged('TLS certificate reloaded').length === 2);
    expect(await served()).toBe(fingerprint(certificate));
  });
});

it('cuts a client that begins a request and does not go on', async () => {
  expect(await slow).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
});

it('ends at SIGTERM, whatever hangs about: silent, in a handshake, between requests', async () => {
  const silent = connectTcp(port, '127.0.0.1');
  const half = connectTcp(port, '127.0.0.1');
  // The beginning of a ClientHello.
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  const shaken = secure();
  await Promise.all([once(silent, 'connect'), once(half, 'connect'), once(shaken, 'secureConnect')]);
  for (const socket of [silent, half, shaken]) socket.on('error', () => undefined);
  const agent = agentOf();
  expect((await unsigned(agent, 'GET', '/healthz')).status).toBe(200);
  expect(await server.terminate()).toEqual({ code: 0, signal: null });
  await expect(fetch(metricsUrl)).rejects.toThrow();
});
