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
}
