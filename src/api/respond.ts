import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
}

/** Sends an answer in one piece. Every answer of the service goes through here and carries a request id. */
export function respond(
  response: ServerResponse,
  requestId: string,
  { status, contentType, body }: Answer,
): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'x-amzn-RequestId': requestId,
  });
  response.end(body);
  if (Buffer.isBuffer(body)) zeroAfter(response, body);
}

/** There may be a plaintext in it. A response has closed when it has been sent, or nobody is there to get it. */
function zeroAfter(response: ServerResponse, body: Buffer): void {
  const zero = () => {
    body.fill(0);
  };
  if (response.destroyed) zero();
  else response.once('close', zero);
}

export function text(response: ServerResponse, status: number, body: string, requestId?: string): void {
  respond(response, requestId ?? randomUUID(), { status, contentType: 'text/plain; charset=utf-8', body });
}

export function json(response: ServerResponse, status: number, value: object): void {
  const body = `${JSON.stringify(value)}\n`;
  respond(response, randomUUID(), { status, contentType: 'application/json', body });
}
