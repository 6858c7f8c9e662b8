import type { IncomingMessage } from 'node:http';

/**
 * Reads a request's body: undefined if it is longer than `limit` bytes, which is known as soon as it is; what
 * still comes then is dropped, so that the client gets to read its answer. Rejects where the client goes away.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else resolve(undefined);
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', reject);
  });
}
