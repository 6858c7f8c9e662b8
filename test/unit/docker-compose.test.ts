import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { makeCertificate } from '../support/certificates';
import { runToEnd } from '../support/program';

const root = resolve(__dirname, '../..');
const read = (name: string) => readFileSync(resolve(root, name), 'utf8');

describe('docker-compose.yml', () => {
  const document = parseDocument(read('docker-compose.yml'), { strict: true, uniqueKeys: true });
  const compose = document.toJS();
  const service = compose.services.p11kms;

  it('is YAML without an error or a warning', () => {
    expect([...document.errors, ...document.warnings]).toEqual([]);
    expect(Object.keys(compose).sort()).toEqual(['services', 'volumes']);
    expect(Object.keys(compose.services)).toEqual(['p11kms']);
  });

  it('publishes nothing: loopback of the host, and no port', () => {
    expect(service.network_mode).toBe('host');
    expect(service.environment.P11KMS_HOST).toBe('127.0.0.1');
    expect(service.ports).toBeUndefined();
  });

  it('keeps token, PIN and store in a named volume at the data directory', () => {
    expect(service.environment.P11KMS_DATA_DIR).toBe('/data');
    const [volume, path] = service.volumes[0].split(':');
    expect(path).toBe('/data');
    expect(Object.keys(compose.volumes)).toEqual([volume]);
  });

  it('takes every privilege away', () => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.cap_add).toBeUndefined();
    expect(service.privileged).toBeUndefined();
    expect(service.security_opt).toContain('no-new-privileges:true');
  });

  it('does not restart for ever, and leaves the service its 10 s to end', () => {
    expect(service.restart).toMatch(/^on-failure:[1-9]$/);
    expect(service.stop_grace_period).toBe('15s');
  });

  it('holds no PIN', () => {
    expect(Object.keys(service.environment).filter((name) => name.includes('PIN'))).toEqual([]);
  });
});

describe('Dockerfile', () => {
  /** Instructions of the last stage, continuation lines joined, comments dropped. */
  const lines = read('Dockerfile')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '');
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const instruction = (name: string) =>
    last.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));

  it('runs as another user than root, in stages with one version of Node', () => {
    expect(instruction('USER')).toEqual(['node']);
    const images = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
    const stages = new Set(lines.map((line) => / AS (\w+)$/.exec(line)?.[1]));
    expect(new Set(images.filter((image) => !stages.has(image)))).toEqual(new Set(['node:20-bookworm-slim']));
    expect(images.length).toBeGreaterThan(1);
  });

  it('copies what exists, and .dockerignore lets it pass', () => {
    const allowed = new Set(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect([source, allowed.has(source)]).toEqual([source, true]);
      expect(() => readFileSync(resolve(root, source))).not.toThrow(/ENOENT/);
    }
  });

  it('starts the entry point, which exists', () => {
    const [path] = JSON.parse(instruction('ENTRYPOINT')[0] ?? '[]');
    expect(path).toBe('/app/softhsm/entrypoint.sh');
    expect(read('softhsm/entrypoint.sh')).toMatch(/^#!\/bin\/sh\n/);
  });

  it.each([
    ['HTTP', 200, 0],
    ['HTTP', 503, 1],
    ['HTTPS', 200, 0],
    ['HTTPS', 503, 1],
  ])('takes the health from /readyz over %s: %i is exit code %i', async (scheme, status, exitCode) => {
    const check = instruction('HEALTHCHECK')[0] ?? '';
    const [command, ...args] = JSON.parse(check.slice(check.indexOf('[')));
    expect(command).toBe('node');
    const answer: RequestListener = (request, response) => {
      response.writeHead(request.url === '/readyz' ? status : 404).end();
    };
    const isTls = scheme === 'HTTPS';
    const service = isTls
      ? createTlsServer(makeCertificate({ cn: 'kms.example' }), answer)
      : createServer(answer);
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    try {
      const port = String((service.address() as AddressInfo).port);
      const env = { P11KMS_PORT: port, ...(isTls && { P11KMS_TLS_CERT_FILE: '/tls/server.crt' }) };
      expect(await runToEnd(process.execPath, args, { env })).toEqual({ exitCode, output: '' });
    } finally {
      service.close();
    }
  });
});
