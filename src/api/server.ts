import { randomUUID } from 'node:crypto';
import { createServer, IncomingMessage, type Server, ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import express, { type Express } from 'express';
import { StartError } from '../errors';
import { gracefulClose } from './graceful-close';
import { respond } from './respond';

/** Longer than the minute for which common load balancers keep a connection idle, so that they close first. */
const KEEP_ALIVE_MS = 65_000;
const HEADERS_MS = 10_000;
/** For the whole of a request to arrive; answering takes what it takes. */
const REQUEST_MS = 30_000;

export interface Listening {
  readonly port: number;
  /**
   * Stops accepting, lets requests that have begun finish and tells their clients to close the connection.
   * Resolves when no connection is left; after `timeoutMs` those that are left are cut.
   */
  close(timeoutMs?: number): Promise<void>;
}

/** Serves an app over HTTP. Throws StartError where the address cannot be had. */
export async function listen(app: Express, host: string, port: number): Promise<Listening> {
  const server = createServer({
    ...classesOf(app),
    connectionsCheckingInterval: 2000,
    // The app refuses a request without one, as every answer of its own: with a request id.
    requireHostHeader: false,
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.on('clientError', refuse);
  server.on('checkExpectation', refuseExpectation);
  const close = gracefulClose(server);
  server.on('request', app);
  await bind(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: (timeoutMs = 8000) => close(timeoutMs),
  };
}

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

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => reject(startError(error, host, port));
    server.once('error', refused);
    server.listen({ host, port }, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

function startError(error: NodeJS.ErrnoException, host: string, port: number): StartError {
  const why: Record<string, string> = {
    EADDRINUSE: 'another process has the port; choose another with P11KMS_PORT',
    EACCES: 'the port needs privileges; choose another with P11KMS_PORT',
    EADDRNOTAVAIL: 'this machine does not have the address; choose another with P11KMS_HOST',
    ENOTFOUND: 'the name is unknown; choose another with P11KMS_HOST',
  };
  const reason = why[error.code ?? ''] ?? error.message;
  return new StartError(`cannot listen on ${host} port ${port}: ${reason}`, undefined, { cause: error });
}

/** Of expectations there is only 100-continue, which Node answers. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const body = 'Expectation failed\n';
  respond(response, randomUUID(), { status: 417, contentType: 'text/plain; charset=utf-8', body });
}

/** Answers what is no HTTP request, which no handler gets to see. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ''] ?? 400;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nx-amzn-RequestId: ${randomUUID()}\r\n\r\n`,
  );
}
