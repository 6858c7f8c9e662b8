import { hash, type KeyObject, sign } from 'node:crypto';

/** Header names and values, in their order. */
export type Pairs = readonly (readonly [name: string, value: string])[];

export const PATH = '/';
export const METHOD = 'POST';
export const NOW = Date.parse('Sun, 22 Nov 2026 05:23:50 GMT');
export const CLIENT_KEY_ID = 'KAAP.3f2504e0-4f89-41d3-9a0c-0305e82c3301';
export const BODY = Buffer.from([10, 3, 97, 98, 99]);

/** What an SDK sends, without its signature. */
export const HEADERS: Pairs = [
  ['Host', '127.0.0.1:8080'],
  ['accept', 'application/x-protobuf'],
  ['Content-Type', 'application/x-protobuf'],
  ['Date', 'Sun, 22 Nov 2026 05:23:50 GMT'],
  ['Content-Sha256', hash('sha256', BODY, 'hex').toUpperCase()],
  ['X-Kms-Apiversion', 'dkms-gcs-0.2'],
  ['X-Kms-Apiname', 'GenerateDataKeyPair'],
  ['X-Kms-Signaturemethod', 'RSA_PKCS1_SHA_256'],
  ['X-Kms-Acccesskeyid', CLIENT_KEY_ID],
];

export const withHeader = (pairs: Pairs, name: string, value: string): Pairs =>
  pairs.map((pair) => (pair[0].toLowerCase() === name ? [pair[0], value] : pair));

export const without = (pairs: Pairs, name: string): Pairs =>
  pairs.filter(([other]) => other.toLowerCase() !== name);

/** Written after the description of the wire, apart from the product's own. */
export function toSign(pairs: Pairs, method = METHOD): Buffer {
  const values = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
  const own = Object.keys(values)
    .filter((name) => name.startsWith('x-kms-'))
    .sort();
  let text = `${method}\n`;
  for (const name of ['content-sha256', 'content-type', 'date']) text += `${values[name] ?? ''}\n`;
  for (const name of own) text += `${name}:${values[name]}\n`;
  return Buffer.from(`${text}/`, 'latin1');
}

export function signed(privateKey: KeyObject, pairs: Pairs = HEADERS, scheme = 'Bearer'): Pairs {
  const signature = sign('sha256', toSign(pairs), privateKey).toString('base64');
  return [...pairs, ['Authorization', `${scheme} ${signature}`]];
}

export const raw = (pairs: Pairs): string[] => pairs.flat();
