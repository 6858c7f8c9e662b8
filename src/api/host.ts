import { isIPv4 } from 'node:net';

/**
 * Whether a Host header names this machine's loopback. Where requests are not authenticated, a web page can have
 * its own name resolve to 127.0.0.1: its requests then come from the browser's user's machine, but name that host.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = header?.toLowerCase().replace(/:\d+$/, '');
  return (
    host === 'localhost' ||
    host === '[::1]' ||
    (host !== undefined && isIPv4(host) && host.startsWith('127.'))
  );
}
