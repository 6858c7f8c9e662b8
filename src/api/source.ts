import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Where a request came from, as far as its connection tells. */
export interface ConnectionSource {
  /** The peer's IP address, an IPv4 one as such and without a zone; absent where the peer was gone before anybody asked. */
  readonly address?: string;
  /** Whether it came over TLS, to the service or to the proxy before it. */
  readonly secure: boolean;
  /** The client's certificate, where it gave one. */
  readonly certificate?: ClientCertificate;
}

export interface ClientCertificate {
  /** As Node's X509Certificate has it: an attribute a line, in the certificate's order (`O=Example\nCN=payments`). */
  readonly subject: string;
  /** Whether it is valid and comes from one of the authorities in P11KMS_TLS_CLIENT_CA_FILE. */
  readonly authorized: boolean;
  /** Why it is not: OpenSSL's name for it (`CERT_HAS_EXPIRED`). */
  readonly fault?: string;
}

const sources = new WeakMap<Socket, ConnectionSource>();

/** @param tlsTerminated whether a proxy does TLS */
export function sourceOf(
  { socket }: IncomingMessage,
  { tlsTerminated }: { readonly tlsTerminated: boolean },
): ConnectionSource {
  const known = sources.get(socket);
  if (known) return known;
  const { remoteAddress } = socket;
  const certificate = socket instanceof TLSSocket ? certificateOf(socket) : undefined;
  const source: ConnectionSource = {
    ...(remoteAddress !== undefined && { address: plainAddress(remoteAddress) }),
    secure: tlsTerminated || socket instanceof TLSSocket,
    ...(certificate && { certificate }),
  };
  sources.set(socket, source);
  return source;
}

/** `authorized` alone means nothing: Node sets it on a resumed TLS 1.3 connection that never had a certificate. */
function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  const { authorized, authorizationError } = socket;
  const fault = authorized ? undefined : String(authorizationError);
  return { subject: certificate.subject, authorized, ...(fault !== undefined && { fault }) };
}

/** On a socket of both families an IPv4 address comes mapped into IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}
