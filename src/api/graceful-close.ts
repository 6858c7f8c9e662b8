import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/**
 * Watches a server's connections from now on and returns the function that closes it: it stops accepting,
 * closes what is idle, and lets requests that have begun finish, with answers that say `Connection: close`.
 * It resolves when no connection is left; after `timeoutMs` those that are left are cut.
 */
export function gracefulClose(server: Server): (timeoutMs: number) => Promise<void> {
  const sockets = watch(server, 'connection');
  // Over TLS a request comes on a socket of its own, made when the handshake is done on that of the connection.
  const secured = watch(server, 'secureConnection');
  const running = watchRequests(server);
  return (timeoutMs) =>
    new Promise((resolve) => {
      // Node's closeAllConnections knows nothing of handshakes.
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, timeoutMs);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      // Node closes connections that are idle between requests, not those that never sent any.
      const shaken = new Set([...secured].map(peer));
      for (const socket of secured) if (socket.bytesRead === 0) socket.destroy();
      for (const socket of sockets) {
        if (!shaken.has(peer(socket)) && (socket.bytesRead === 0 || isTls(server))) socket.destroy();
      }
      for (const response of running) sayClose(response);
    });
}

function watch(server: Server, event: 'connection' | 'secureConnection'): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on(event, (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

const isTls = (server: Server): boolean => server instanceof TlsServer;

const peer = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

function watchRequests(server: Server): ReadonlySet<ServerResponse> {
  const running = new Set<ServerResponse>();
  server.on('request', (_request, response) => {
    running.add(response);
    response.once('close', () => {
      running.delete(response);
      // An answer that was on its way when the server closed could not say so any more.
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
    if (!server.listening) sayClose(response);
  });
  return running;
}

function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}
