import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Where the service will listen; nothing where only the service knows (port 0) or will refuse the value, nor where it
 * speaks HTTPS, with a certificate of whose authority nothing is known here.
 */
export function serviceAddress(settings) {
  if (settings.get('P11KMS_TLS_CERT_FILE')) return undefined;
  const host = String(settings.get('P11KMS_HOST') ?? '127.0.0.1');
  const port = Number(settings.get('P11KMS_PORT') ?? 8080);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { host, port, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/` };
}

/** Whether anybody accepts connections there. */
export async function isListening({ host, port }) {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(500) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** True as soon as /readyz answers 200; false where `ended` is aborted before that. */
export async function whenReady({ url }, ended) {
  const started = performance.now();
  while (!ended.aborted) {
    if (await isReady(url, ended)) return true;
    // Quick at first, because a start takes about a second; a token that is away may take hours.
    await delay(performance.now() - started < 5_000 ? 20 : 500, undefined, { signal: ended }).catch(
      () => undefined,
    );
  }
  return false;
}

async function isReady(url, ended) {
  try {
    const answer = await fetch(`${url}readyz`, {
      signal: AbortSignal.any([ended, AbortSignal.timeout(2_000)]),
    });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
