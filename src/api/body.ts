import type { IncomingMessage } from 'node:http';

/** So much of what is too long is read and dropped: most clients read an answer only when they have sent everything. */
const DROPPED_BYTES = 4 * 1024 * 1024;
/** How long a client that goes on sending has to read its answer, before the connection is cut. */
const LINGER_MS = 1_000;

/**
 * Reads a request's body: undefined if it is longer than `limit` bytes, which is known as soon as it is, or from its
 * Content-Length. What still comes then is dropped, and a client that does not stop is cut. Rejects where the client
 * goes away.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (request.destroyed) {
      // Nothing more would be heard of it.
      reject(new Error('the client went away'));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const tooLong = () => {
      chunks.length = 0;
      resolve(undefined);
    };
    if (Number(request.headers['content-length']) > limit) tooLong();
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else tooLong();
      if (size > limit + DROPPED_BYTES) cutSoon(request);
    });
    request.on('end', () => resolve(joined(chunks)));
    request.on('error', reject);
  });
}

/** The one copy of them: there may be a plaintext in it, which whoever has it can zero. */
function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  if (first && chunks.length === 1) return first;
  const whole = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return whole;
}

/** Paused, it takes no more from the client than the system's buffers hold, and the answer still gets out. */
function cutSoon(request: IncomingMessage): void {
  request.pause();
  setTimeout(() => request.socket.destroy(), LINGER_MS).unref();
}
