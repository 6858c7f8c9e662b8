import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBody } from '../../../src/api/body';

const server = createServer();
afterAll(() => server.close());

/** A request of which nothing has been read yet when its client goes away. */
async function abandoned(): Promise<IncomingMessage> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = request({ port, method: 'POST', headers: { 'content-length': 1_000 } });
  client.on('error', () => undefined);
  client.flushHeaders();
  const [incoming] = (await once(server, 'request')) as [IncomingMessage];
  client.destroy();
  await new Promise((resolve) => incoming.once('close', resolve));
  return incoming;
}

it('a body that is waited for after its client went away is not waited for', async () => {
  await expect(readBody(await abandoned(), 1_000)).rejects.toThrow('the client went away');
});
