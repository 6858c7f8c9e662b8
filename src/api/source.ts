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

interface Known {
  readonly source: ConnectionSource;
  /** When the certificate ends: a connection may live longer. Milliseconds since 1970. */
  readonly until: number;
}

const known = new WeakMap<Socket, Known>();

/** @param tlsTerminated whether a proxy does TLS */
export function sourceOf(
  { socket }: IncomingMessage,
  { tlsTerminated }: { readonly tlsTerminated: boolean },
): ConnectionSource {
  const found = known.get(socket);
  if (found && Date.now() < found.until) return found.source;
  const { remoteAddress } = socket;
  const { certificate, until = Number.POSITIVE_INFINITY } =
    socket instanceof TLSSocket ? certificateOf(socket) : {};
  const source: ConnectionSource = {
    ...(remoteAddress !== undefined && { address: plainAddress(remoteAddress) }),
    secure: tlsTerminated || socket instanceof TLSSocket,
    ...(certificate && { certificate }),
  };
  known.set(socket, { source, until });
  return source;
}

interface Certified {
  readonly certificate?: ClientCertificate;
  readonly until?: number;
}

/** `authorized` alone means nothing: Node sets it on a resumed TLS 1.3 connection that never had a certificate. */
function certificateOf(socket: TLSSocket): Certified {
  const { subject, validTo } = socket.getPeerX509Certificate() ?? {};
  if (subject === undefined || validTo === undefined) return {};
  if (!socket.authorized) return refused(subject, String(socket.authorizationError));
  const until = Date.parse(validTo);
  return Date.now() < until
    ? { certificate: { subject, authorized: true }, until }
    : refused(subject, 'CERT_HAS_EXPIRED');
}

const refused = (subject: string, fault: string): Certified => ({
  certificate: { subject, authorized: false, fault },
});

/** On a socket of both families an IPv4 address comes mapped into IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}
