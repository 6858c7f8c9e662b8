import { randomUUID } from 'node:crypto';
import { createServer, IncomingMessage, type Server, ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express, { type Express } from 'express';
import { StartError } from '../errors';
import { gracefulClose } from './graceful-close';
import { respond } from './respond';

/** Longer than the minute for which common load balancers keep a connection idle, so that they close first. */
const KEEP_ALIVE_MS = 65_000;
/** How long a client that was told what is wrong with its request has to read that. */
const LINGER_MS = 1_000;
const MAX_HEADER_BYTES = 16 * 1024;

const LIMITS = {
  /** For a TLS handshake. */
  handshakeMs: 10_000,
  /** For a request's headers to arrive. */
  headersMs: 10_000,
  /** For the whole of a request to arrive; answering takes what it takes. */
  requestMs: 30_000,
  /** Without a byte either way, also while an answer is made: longer than any takes. */
  idleMs: 300_000,
  /** Between two looks at what is late. */
  checkMs: 2_000,
};

/** TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has nothing else. */
const TLS_1_2_CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';

/** In PEM. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authorities of client certificates; none is asked for without. */
  readonly clientCa?: Buffer;
}

export interface ListenOptions {
  /** HTTPS; plain HTTP without it. */
  readonly tls?: ServerTls;
  /** Connections at the same time. */
  readonly maxConnections?: number;
  /** Told of each connection that was one too many. */
  readonly onDropped?: () => void;
  /** The settings that a fault of the address names. */
  readonly settings?: { readonly host: string; readonly port: string };
  readonly limits?: Partial<typeof LIMITS>;
}

export interface Listening {
  readonly port: number;
  /**
   * Takes another certificate, key and authorities for connections that begin from now on; those that are open go on
   * as they are. Of use where the service began with TLS; client certificates are asked for if they were then.
   */
  renewTls(tls: ServerTls): void;
  /**
   * Stops accepting, lets requests that have begun finish and tells their clients to close the connection.
   * Resolves when no connection is left; after `timeoutMs` those that are left are cut.
   */
  close(timeoutMs?: number): Promise<void>;
}

/** Serves an app over HTTP or HTTPS. Throws StartError where the address cannot be had. */
export async function listen(
  app: Express,
  host: string,
  port: number,
  options: ListenOptions = {},
): Promise<Listening> {
  const limits = { ...LIMITS, ...options.limits };
  const { server, renewTls } = createFor(app, limits, options.tls);
  // Also for a client that does not read its answers.
  server.setTimeout(limits.idleMs);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = limits.headersMs;
  server.requestTimeout = limits.requestMs;
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  server.on('drop', () => options.onDropped?.());
  server.on('clientError', refuse);
  server.on('checkExpectation', refuseExpectation);
  const close = gracefulClose(server);
  server.on('request', app);
  await bind(server, host, port, options.settings);
  return {
    port: (server.address() as AddressInfo).port,
    renewTls,
    close: (timeoutMs = 8000) => close(timeoutMs),
  };
}

function createFor(app: Express, { checkMs, handshakeMs }: typeof LIMITS, tls: ServerTls | undefined) {
  const options = {
    ...classesOf(app),
    connectionsCheckingInterval: checkMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    // The app refuses a request without one, as every answer of its own: with a request id.
    requireHostHeader: false,
  };
  if (!tls) return { server: createServer(options), renewTls: () => undefined };
  const server: TlsServer = createTlsServer({
    ...options,
    ...contextOf(tls),
    handshakeTimeout: handshakeMs,
    requestCert: tls.clientCa !== undefined,
    // Whoever has no certificate may sign instead; one that does not verify is refused with an answer.
    rejectUnauthorized: false,
  });
  return { server, renewTls: (renewed: ServerTls) => server.setSecureContext(contextOf(renewed)) };
}

const contextOf = ({ cert, key, clientCa }: ServerTls) => ({
  cert,
  key,
  minVersion: 'TLSv1.2' as const,
  ciphers: TLS_1_2_CIPHERS,
  ...(clientCa && { ca: clientCa }),
});

/**
 * Express gives every request and response the prototypes of its app, and changing an object's prototype costs
 * some 50 µs. Made with them in the first place, they need no change.
 */
function classesOf(app: Express) {
  class AppRequest extends IncomingMessage {}
  class AppResponse extends ServerResponse {}
  Object.setPrototypeOf(AppRequest.prototype, express.request);
  Object.setPrototypeOf(AppResponse.prototype, express.response);
  const request = Object.assign(AppRequest.prototype, { app });
  const response = Object.assign(AppResponse.prototype, { app });
  Object.assign(app, { request, response });
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

const MAIN_SETTINGS = { host: 'P11KMS_HOST', port: 'P11KMS_PORT' };

function bind(server: Server, host: string, port: number, settings = MAIN_SETTINGS): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => reject(startError(error, host, port, settings));
    server.once('error', refused);
    server.listen({ host, port }, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

function startError(
  error: NodeJS.ErrnoException,
  host: string,
  port: number,
  settings: typeof MAIN_SETTINGS,
): StartError {
  const why: Record<string, string> = {
    EADDRINUSE: `another process has the port; choose another with ${settings.port}`,
    EACCES: `the port needs privileges; choose another with ${settings.port}`,
    EADDRNOTAVAIL: `this machine does not have the address; choose another with ${settings.host}`,
    ENOTFOUND: `the name is unknown; choose another with ${settings.host}`,
  };
  const reason = why[error.code ?? ''] ?? error.message;
  return new StartError(`cannot listen on ${host} port ${port}: ${reason}`, undefined, { cause: error });
}

/** Of expectations there is only 100-continue, which Node answers. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const body = 'Expectation failed\n';
  respond(response, randomUUID(), { status: 417, contentType: 'text/plain; charset=utf-8', body });
}

/** Answers what is no HTTP request, which no handler gets to see, and ends the connection. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  // Where there is no TLS yet there is no way to answer.
  if (!socket.writable || error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    socket.destroy();
    return;
  }
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ''] ?? 400;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nx-amzn-RequestId: ${randomUUID()}\r\n\r\n`,
  );
  // A client that keeps its half of the connection open must not keep the service's.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
